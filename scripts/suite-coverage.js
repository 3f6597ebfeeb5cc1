import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Report } from 'c8'

const folder = 'coverage'

/** Per cent. */
const minimum = { lines: 95, branches: 90 }

/** Where the sources are built apart from the suite, for the programs that tests start: to the same JavaScript. */
const builtApart = { plugins: 'dist', 'example-app': 'build/example-app', services: 'build/services' }

/** What the tests reach of the built sources, by V8's own count, told in lines and branches of the TypeScript. */
export class Coverage {
  #raw = join(folder, 'raw')
  #kept = join(folder, 'v8')
  #places
  #reached = new Set()

  /** @param {string} built the folder with the built sources */
  constructor (built) {
    this.#places = Object.entries(builtApart).map(([source, apart]) => ({ folder: join(built, source), apart }))
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
    for (const file of readdirSync(raw)) {
      const { result } = JSON.parse(readFileSync(join(raw, file), 'utf8'))
      const ofSources = result.flatMap((script) => {
        const url = this.#urlOf(script.url)
        return url === undefined ? [] : [{ ...script, url }]
      })
      for (const { url } of ofSources) this.#reached.add(url)
      if (ofSources.length > 0) this.#keep(file, ofSources)
    }
    rmSync(raw, { recursive: true })
  }

  /** Of the file of the suite that a script of the sources is, wherever it was built; else undefined. */
  #urlOf (url) {
    for (const { folder, apart } of this.#places) {
      const [own, other] = [`${pathToFileURL(folder)}/`, `${pathToFileURL(apart)}/`]
      if (url.startsWith(own)) return url
      if (url.startsWith(other)) return own + url.slice(other.length)
    }
    return undefined
  }

  /** Prints what is not covered, and writes coverage-summary.json. @returns {boolean} whether it is as much as there is to be */
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
    const { total } = JSON.parse(readFileSync(join(folder, 'coverage-summary.json'), 'utf8'))
    const missed = Object.keys(minimum).filter((kind) => !(total[kind].pct >= minimum[kind]))
    for (const kind of missed) console.log(`FAILED coverage: ${total[kind].pct}% of ${kind}, at least ${minimum[kind]}% wanted`)
    return missed.length === 0
  }

  /**
   * V8 counts what was loaded. A source that no test loads is brought in as uncovered lines. No block coverage, or it would add a
   * branch and a function that nothing could ever cover. A file of types compiles to nothing and cannot be covered.
   */
  #unreached () {
    return this.#places
      .flatMap(({ folder }) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)))
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
