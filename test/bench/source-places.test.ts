import { mkdirSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'
import t, { type Test } from 'tap'
import { SourcePlaces } from '../../bench/profile/source-places.js'

const SOURCE = `interface Named { name: string }

export function greet ({ name }: Named): string {
  return \`Hello \${name}\`
}

export const all = (names: string[]) => names.map((name) => greet({ name }))
`

/** A project with a compiled file in build/, its source in example-app/, and a package. */
function project (t: Test): URL {
  const folder = t.testdir({ 'example-app': { 'greet.ts': SOURCE }, node_modules: { a: { 'x.js': 'export const a = 1\nexport default () => a\n' } } })
  const { outputText, sourceMapText } = ts.transpileModule(SOURCE, {
    fileName: '../../example-app/greet.ts',
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, sourceMap: true, inlineSources: true }
  })
  mkdirSync(`${folder}/build/example-app`, { recursive: true })
  writeFileSync(`${folder}/build/example-app/greet.js`, outputText)
  const map = { ...JSON.parse(sourceMapText!), sources: ['../../example-app/greet.ts'] }
  writeFileSync(`${folder}/build/example-app/greet.js.map`, JSON.stringify(map))
  return pathToFileURL(`${folder}/`)
}

const frame = (name: string, url: string, line = 0, column = 0) => ({ name, url, line, column, self: 0, children: [] })

t.test('a compiled function is shown where it is written, in TypeScript', (t) => {
  const root = project(t)
  const place = new SourcePlaces(root).of(frame('greet', new URL('build/example-app/greet.js', root).href, 0, 'export function greet'.length))
  t.strictSame(place, { name: 'greet', where: 'example-app/greet.ts:3', whose: 'example' })
  t.end()
})

t.test('a function without a name is shown by what stands there', (t) => {
  const root = project(t)
  const places = new SourcePlaces(root)
  const line = 'export const all = (names) => names.map('
  t.strictSame(places.of(frame('', new URL('build/example-app/greet.js', root).href, 3, line.length)), {
    name: '(anonymous) export const all = (names: string[]) => names.map((name) =>…', where: 'example-app/greet.ts:7', whose: 'example'
  })
  t.strictSame(places.of(frame('', new URL('node_modules/a/x.js', root).href, 1, 15)), {
    name: '(anonymous) export default () => a', where: 'a/x.js:2', whose: 'dependency'
  })
  t.end()
})

t.test('what has no file keeps the name it has', (t) => {
  const places = new SourcePlaces(new URL('file:///project/'))
  t.strictSame(places.of(frame('(garbage collector)', '', -1, -1)), { name: '(garbage collector)', where: '', whose: 'v8' })
  t.strictSame(places.of(frame('emit', 'node:events', 470, 44)), { name: 'emit', where: 'node:events:471', whose: 'node' })
  t.strictSame(places.of(frame('', 'file:///project/gone.js', 1, 1)), { name: '(anonymous)', where: 'gone.js:2', whose: 'other' })
  t.end()
})
