import type { Transform } from 'node:stream'
import { promisify } from 'node:util'
import zlib, { type BrotliOptions, type ZlibOptions } from 'node:zlib'
import type { Coding } from './codings.js'

/** How hard is tried: what is asked for, or as little as there is. */
export type Effort = 'full' | 'low'

/** Node's, of versions that have it. */
export interface ZstdOptions {
  params?: Record<number, number>
  chunkSize?: number
}

export interface EncoderOptions {
  brotliOptions?: BrotliOptions
  /** For gzip and deflate. */
  zlibOptions?: ZlibOptions
  zstdOptions?: ZstdOptions
}

/** What Node's compressors have in common. */
export type Encoder = Transform & { flush (callback?: () => void): void }

type AnyOptions = BrotliOptions | ZlibOptions | ZstdOptions
type OneShot = (bytes: string | Buffer, options: AnyOptions, callback: (error: Error | null, result: Buffer) => void) => void

interface Format {
  sync: (bytes: string | Buffer, options: AnyOptions) => Buffer
  async: (bytes: string | Buffer, options: AnyOptions) => Promise<Buffer>
  stream: (options: AnyOptions) => Encoder
}

// Of zstd the types of Node 20 know nothing, as Node 20 itself.
const node = zlib as unknown as Record<string, any>
const { constants } = node as { constants: Readonly<Record<string, number>> }

const FORMATS: Readonly<Record<Coding, () => Format>> = {
  br: () => format('brotliCompress', 'createBrotliCompress'),
  zstd: () => format('zstdCompress', 'createZstdCompress'),
  gzip: () => format('gzip', 'createGzip'),
  deflate: () => format('deflate', 'createDeflate')
}

/** Gives nearly all of what 11 gives, for a fraction of the time: https://blog.cloudflare.com/this-is-brotli-from-origin#testing */
const BROTLI_QUALITY = 4
const LOWEST = 1

/**
 * For a small body, to allocate a window of 32 kB and a buffer of 16 costs more than to compress it. A window of 4,096 bytes reaches all
 * of 3,800: zlib's lookahead takes 262.
 */
const SMALL = 3_800
const FOR_SMALL: ZlibOptions = { windowBits: 12, memLevel: 5, chunkSize: 4_096 }

/** Node's compressors, set once. */
export class Encoders {
  readonly #formats: Readonly<Partial<Record<Coding, Format>>>
  readonly #options: Readonly<Record<Effort, Readonly<Record<Coding, AnyOptions>>>>
  readonly #small: Readonly<Record<Effort, Readonly<Record<Coding, AnyOptions>>>>

  constructor (codings: readonly Coding[], { brotliOptions = {}, zlibOptions = {}, zstdOptions = {} }: EncoderOptions = {}) {
    this.#formats = Object.fromEntries(codings.map((coding) => [coding, FORMATS[coding]()]))
    const quality = constants.BROTLI_PARAM_QUALITY!
    const level = constants.ZSTD_c_compressionLevel ?? 0
    const of = (brotli: number, zlib: number | undefined, zstd: number | undefined): Record<Coding, AnyOptions> => {
      const forZlib: ZlibOptions = { ...zlibOptions, ...zlib !== undefined && { level: zlib } }
      return {
        br: { ...brotliOptions, params: { ...brotliOptions.params, [quality]: brotli } },
        zstd: { ...zstdOptions, ...zstd !== undefined && { params: { ...zstdOptions.params, [level]: zstd } } },
        gzip: forZlib,
        deflate: forZlib
      }
    }
    const brotli = brotliOptions.params?.[quality] as number | undefined ?? BROTLI_QUALITY
    const options = {
      full: of(brotli, undefined, undefined),
      // What is asked for can be less.
      low: of(Math.min(brotli, LOWEST), Math.min(positive(zlibOptions.level), LOWEST), Math.min(zstdOptions.params?.[level] ?? LOWEST, LOWEST))
    }
    this.#options = options
    this.#small = { full: ofSmall(options.full), low: ofSmall(options.low) }
  }

  /** On this thread: for what is so small that to hand it over costs more. */
  sync (coding: Coding, effort: Effort, bytes: string | Buffer): Buffer {
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    return this.#formats[coding]!.sync(buffer, (buffer.length <= SMALL ? this.#small : this.#options)[effort][coding])
  }

  /** On a thread of libuv's pool. */
  async async (coding: Coding, effort: Effort, bytes: string | Buffer): Promise<Buffer> {
    return await this.#formats[coding]!.async(bytes, this.#options[effort][coding])
  }

  stream (coding: Coding, effort: Effort): Encoder {
    return this.#formats[coding]!.stream(this.#options[effort][coding])
  }
}

/** Brotli sizes its window by what it is given. */
function ofSmall (options: Readonly<Record<Coding, AnyOptions>>): Readonly<Record<Coding, AnyOptions>> {
  return { ...options, gzip: { ...FOR_SMALL, ...options.gzip }, deflate: { ...FOR_SMALL, ...options.deflate } }
}

function format (oneShot: string, stream: string): Format {
  return {
    sync: node[`${oneShot}Sync`] as Format['sync'],
    async: promisify(node[oneShot] as OneShot),
    stream: node[stream] as Format['stream']
  }
}

/** zlib's own default is -1. */
function positive (level: number | undefined): number {
  return level === undefined || level < 0 ? LOWEST : level
}
