import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Report } from 'c8'

const folder = 'coverage'
const sources = ['plugins', 'example-app', 'services']

/** What the tests reach of the built sources, by V8's own count, told in lines and branches of the TypeScript. */
export class Coverage {
  #raw = join(folder, 'raw')
  #kept = join(folder, 'v8')
  #places
  #reached = new Set()

  /** @param {string} built the folder with the built sources */
  constructor (built) {
    this.#places = sources.map((source) => join(built, source))
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(this.#kept, { recursive: true })
  }

  /** For the process of a test; those that it starts inherit it. */
  environmentOf (test) {
    return { NODE_V8_COVERAGE: resolve(this.#raw, fileNameOf(test)) }
  }

  /**
   * When a test has ended: keeps what its processes say of the sources, which is little. Each of them tells of all that it loaded,
   * with the source maps, and all of that together would not fit into memory.
   */
  collect (test) {
    const raw = join(this.#raw, fileNameOf(test))
    // Killed before it could write.
    if (!existsSync(raw)) return
    const within = this.#places.map((place) => `${pathToFileURL(place)}/`)
    for (const file of readdirSync(raw)) {
      const result = JSON.parse(readFileSync(join(raw, file), 'utf8')).result.filter(({ url }) => within.some((place) => url.startsWith(place)))
      for (const { url } of result) this.#reached.add(url)
      if (result.length > 0) this.#keep(file, result)
    }
    rmSync(raw, { recursive: true })
  }

  /** Prints what is not covered, and writes coverage-summary.json. */
  async report () {
    this.#keep('unreached.json', this.#unreached())
    await new Report({
      tempDirectory: this.#kept,
      reportsDirectory: folder,
      reporter: ['text', 'json-summary'],
      skipFull: true,
      // By default it leaves out what is in a folder called test or coverage, wherever that is.
      exclude: []
    }).run()
  }

  /**
   * V8 counts what was loaded. A source that no test loads is brought in as uncovered lines. No block coverage, or it would add a
   * branch and a function that nothing could ever cover. A file of types compiles to nothing and cannot be covered.
   */
  #unreached () {
    return this.#places
      .flatMap((place) => readdirSync(place, { recursive: true, encoding: 'utf8' }).map((file) => join(place, file)))
      .filter((file) => file.endsWith('.js') && !/^export \{\};\s*\/\/# sourceMappingURL=.*\s*$/.test(readFileSync(file, 'utf8')))
      .map((file) => pathToFileURL(file).href)
      .filter((url) => !this.#reached.has(url))
      .map((url) => ({
        scriptId: '0',
        url,
        functions: [{ functionName: '', isBlockCoverage: false, ranges: [{ startOffset: 0, endOffset: Number.MAX_SAFE_INTEGER, count: 0 }] }]
      }))
  }

  #keep (name, result) {
    writeFileSync(join(this.#kept, name), JSON.stringify({ result }))
  }
}

function fileNameOf (test) {
  return test.replaceAll(/[^\w.-]/g, '-')
}
