import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import t from 'tap'
import { project } from '../helpers/project.js'

const manifest = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'))
const entries = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace('.', manifest.name))

// A user's process has none of the loaders and settings that tap gives its children, and nobody counts what it runs.
const env = { ...process.env, NODE_OPTIONS: undefined, NODE_V8_COVERAGE: undefined }

async function run (command: string, args: string[], cwd: string): Promise<string> {
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, maxBuffer: 2 ** 26 })
  return stdout
}

// Not t.testdir(): beneath this folder, Node would find our own node_modules.
const folder = await mkdtemp(join(tmpdir(), 'headroom-'))
t.teardown(() => rm(folder, { recursive: true, force: true }))

await run('npm', ['run', 'build'], project)
const [packed] = JSON.parse(await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], project))
const tarball = join(folder, packed.filename)
const files: string[] = packed.files.map((file: { path: string }) => file.path)

t.test('the package holds each source with its compiled form and types, the papers, and nothing else', async (t) => {
  const sources = files.filter((file) => /^plugins\/.*\.ts$/.test(file))
  t.ok(sources.includes('plugins/index.ts'))
  const compiled = sources.flatMap((source) => {
    const base = source.replace(/^plugins/, 'dist').replace(/\.ts$/, '')
    return [`${base}.js`, `${base}.js.map`, `${base}.d.ts`, `${base}.d.ts.map`]
  })
  const papers = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'].filter((file) => existsSync(join(project, file)))
  const techniquePapers = files.filter((file) => /^plugins\/.*\.md$/.test(file))
  t.same(files.toSorted(), [...papers, ...techniquePapers, ...sources, ...compiled].toSorted())
})

t.test('publint finds nothing to say about the package', async (t) => {
  const { buffer } = new Uint8Array(await readFile(tarball))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  t.same(messages.map((message) => formatMessage(message, pkg, { color: false })), [])
})

t.test('every entry resolves to its types from an ES module', async (t) => {
  // The published types of other packages are of no interest, and looking for them needs the network.
  await t.resolves(run(join(project, 'node_modules/.bin/attw'),
    ['--profile', 'esm-only', '--no-definitely-typed', '--format', 'ascii', tarball], project))
})

t.test('installed into an empty folder', async (t) => {
  const home = join(folder, 'app')
  await mkdir(home)
  await cp(join(project, 'test/package/fixtures'), home, { recursive: true })
  await writeFile(join(home, 'package.json'), '{}')
  const install = (...packages: string[]) =>
    run('npm', ['install', '--prefix', home, '--prefer-offline', '--no-audit', ...packages], home)

  await install(tarball, `fastify@${manifest.peerDependencies.fastify}`)

  await t.test('with Fastify alone, every entry can be imported: the other peers are optional', async (t) => {
    for (const entry of entries) {
      const resolved = await run(process.execPath, ['import.mjs', entry], home)
      t.match(resolved, /\/dist\/.*\.js$/, entry)
    }
  })

  await install(`pg@${manifest.devDependencies.pg}`, `ioredis@${manifest.devDependencies.ioredis}`)

  for (const script of ['boot.mjs', 'boot.cjs']) {
    await t.test(`${script} boots, answers and closes an app with each entry`, async (t) => {
      // One process for all, that has to end by itself: most of its time goes into loading Fastify, pg and ioredis.
      const closed = await run(process.execPath, [script, ...entries], home)
      t.same(closed.trimEnd().split('\n'), entries.map((entry) => `${entry} closed`))
    })
  }
})
