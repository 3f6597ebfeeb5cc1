import { existsSync, readFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Frame } from './cpu-profile.js'
import { shortPath, whoseIs, type Place } from './place.js'

/** The longest piece of source that stands in for the name of a function that has none. */
const LONGEST_EXCERPT = 60

/** Tells where functions are written: in TypeScript where a source map says so. */
export class SourcePlaces {
  readonly #root: string
  readonly #scripts = new Map<string, Script>()

  /** @param root the project's folder, as a `file:` URL that ends in a slash */
  constructor (root: URL) {
    this.#root = root.href
  }

  of (frame: Frame): Place {
    const { url, line, column } = frame
    if (url === '' || line < 0) return { name: frame.name || '(anonymous)', where: url, whose: whoseIs(url) }
    const origin = this.#script(url).origin(line, column)
    const path = origin.url.startsWith(this.#root) ? origin.url.slice(this.#root.length) : origin.url
    return {
      name: frame.name || (origin.text === undefined ? '(anonymous)' : `(anonymous) ${excerpt(origin.text)}`),
      where: `${shortPath(path)}:${origin.line + 1}`,
      whose: whoseIs(path)
    }
  }

  #script (url: string): Script {
    const known = this.#scripts.get(url) ?? new Script(url)
    this.#scripts.set(url, known)
    return known
  }
}

interface Origin {
  url: string
  /** From 0. */
  line: number
  /** What stands there. */
  text: string | undefined
}

class Script {
  readonly #url: string
  readonly #lines: readonly string[]
  readonly #map: SourceMap | undefined

  constructor (url: string) {
    this.#url = url
    const file = url.startsWith('file:') ? fileURLToPath(url) : undefined
    this.#lines = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []
    // A package's own map leads to sources that it seldom ships.
    const mapped = file !== undefined && !file.includes('node_modules') && existsSync(`${file}.map`)
    this.#map = mapped ? new SourceMap(JSON.parse(readFileSync(`${file}.map`, 'utf8'))) : undefined
  }

  origin (line: number, column: number): Origin {
    const entry = this.#map?.findEntry(line, column)
    if (entry === undefined || !('originalSource' in entry)) return { url: this.#url, line, text: this.#lines[line] }
    const { sources, sourcesContent } = this.#map!.payload
    const text = sourcesContent?.[sources.indexOf(entry.originalSource)]?.split('\n')[entry.originalLine]
    return { url: new URL(entry.originalSource, this.#url).href, line: entry.originalLine, text }
  }
}

function excerpt (text: string): string {
  const trimmed = text.trim()
  return trimmed.length > LONGEST_EXCERPT ? `${trimmed.slice(0, LONGEST_EXCERPT - 1)}…` : trimmed
}
