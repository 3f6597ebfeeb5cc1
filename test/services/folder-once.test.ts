import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { cacheFolder } from '../../services/cache-folder.js'
import { folderOnce, publicFolderOnce } from '../../services/folder-once.js'
import { setEnvironment } from '../helpers/environment.js'

const write = (text: string) => (partial: string) => writeFile(join(partial, 'file'), text)

t.test('a folder is filled once', async (t) => {
  const folder = join(t.testdir({}), 'made')
  await folderOnce(folder, write('first'))
  await folderOnce(folder, write('second'))
  t.equal(await readFile(join(folder, 'file'), 'utf8'), 'first')
})

t.test('of several that make a folder at once one wins and all succeed', async (t) => {
  const parent = t.testdir({})
  const folder = join(parent, 'made')
  const folders = await Promise.all(['a', 'b', 'c'].map((text) => folderOnce(folder, write(text))))
  t.same(folders, [folder, folder, folder])
  t.same(await readdir(parent), ['made'])
})

t.test('a folder that could not be filled is not there', async (t) => {
  const parent = t.testdir({})
  await t.rejects(folderOnce(join(parent, 'made'), () => Promise.reject(new Error('no disk'))), { message: 'no disk' })
  t.same(await readdir(parent), [])
})

t.test('a public folder can be entered by other users', async (t) => {
  const folder = await publicFolderOnce(join(t.testdir({}), 'made'), write(''))
  t.equal((await stat(folder)).mode & 0o777, 0o755)
})

t.test('FASTIFY_HEADROOM_CACHE decides where the cache is', async (t) => {
  const folder = join(t.testdir({}), 'own/cache')
  setEnvironment(t, { FASTIFY_HEADROOM_CACHE: folder })
  t.equal(await cacheFolder(), folder)
  t.ok((await stat(folder)).isDirectory())
})

t.test('the cache of others than root is where XDG says, else in ~/.cache', async (t) => {
  t.intercept(process, 'geteuid', { value: () => 1000 })
  const home = t.testdir({})
  setEnvironment(t, { FASTIFY_HEADROOM_CACHE: undefined, XDG_CACHE_HOME: undefined, HOME: home })
  t.equal(await cacheFolder(), join(home, '.cache/fastify-headroom'))
  process.env.XDG_CACHE_HOME = join(home, 'xdg')
  t.equal(await cacheFolder(), join(home, 'xdg/fastify-headroom'))
})
