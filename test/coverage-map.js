import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('..', import.meta.url))
const sources = ['plugins', 'example-app', 'services'].flatMap(typescriptFiles)

let baselineWritten = false

/** Every test may cover every source, so a source that no test reaches has nowhere to hide. */
export default function coverageMap () {
  // tap empties .tap/coverage before it maps the first test, and not earlier.
  if (!baselineWritten) writeBaseline()
  baselineWritten = true
  return sources
}

/** @param {string} folder */
function typescriptFiles (folder) {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))
    .map((file) => join(folder, file))
}

/**
 * tap reports only what was loaded, so a file that no test imports would not count at all.
 * A baseline of zeros brings each of them into the report as uncovered lines.
 * It is neutral for a file that is loaded: V8's own range over that file starts at the same
 * place, ends earlier, and so is applied later and wins. It declares no block coverage, or it
 * would add a branch and a function that nothing could ever cover.
 */
function writeBaseline () {
  const result = sources
    .filter(leavesCode)
    .map((file) => ({
      scriptId: '0',
      url: pathToFileURL(join(root, file)).href,
      functions: [{
        functionName: '',
        isBlockCoverage: false,
        ranges: [{ startOffset: 0, endOffset: Number.MAX_SAFE_INTEGER, count: 0 }]
      }]
    }))
  const folder = join(root, '.tap/coverage')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'baseline.json'), JSON.stringify({ result }))
}

/**
 * A file of types compiles to nothing, is never loaded and cannot be covered.
 * @param {string} file
 */
function leavesCode (file) {
  const { outputText } = ts.transpileModule(readFileSync(join(root, file), 'utf8'), {
    compilerOptions: {
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      removeComments: true
    }
  })
  return outputText.trim() !== 'export {};'
}
