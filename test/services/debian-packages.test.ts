import { access, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { fetchDebianPackages } from '../../services/debian-packages.js'
import { setEnvironment } from '../helpers/environment.js'
import { hasApt } from './fixtures/has-apt.js'

const skip = !hasApt && 'no apt-get'
// Small, needs nothing and is hardly ever installed.
const small = { name: 'hello', program: 'usr/bin/hello' }

t.test('two fetches at once both succeed and leave nothing half done', { skip }, async (t) => {
  const folder = join(t.testdir({}), 'hello')
  await Promise.all([fetchDebianPackages([small.name], folder), fetchDebianPackages([small.name], folder)])
  await access(join(folder, small.program))
  t.same(await readdir(t.testdirName), ['hello'])
})

t.test('a machine without package lists gets lists of its own for the fetch', { skip }, async (t) => {
  const root = t.testdir({ lists: { partial: {} }, 'apt.conf': '' })
  const config = `Dir::State::lists "${join(root, 'lists')}";`
  setEnvironment(t, { APT_CONFIG: join(t.testdir({ lists: { partial: {} }, 'apt.conf': config }), 'apt.conf') })
  const folder = join(root, 'hello')

  await fetchDebianPackages([small.name], folder)

  await access(join(folder, small.program))
  t.equal(await readFile(join(root, 'apt.conf'), 'utf8'), config)
  t.same((await readdir(join(root, 'lists'))).filter((name) => name.includes('Packages')), [])
})

t.test('a package that does not exist is an error with the reason', { skip }, async (t) => {
  const folder = join(t.testdir({}), 'none')
  await t.rejects(fetchDebianPackages(['no-such-package-anywhere'], folder), { message: /Unable to locate package/ })
  t.same(await readdir(t.testdirName), [])
})
