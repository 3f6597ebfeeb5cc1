import zlib from 'node:zlib'

/** Content codings (RFC 9110 §8.4.1, RFC 7932, RFC 8878), in the order in which they are offered. */
export const CODINGS = ['br', 'zstd', 'gzip', 'deflate'] as const
export type Coding = typeof CODINGS[number]

/** Those that this Node has. */
export const SUPPORTED: readonly Coding[] = CODINGS.filter((coding) => coding !== 'zstd' || 'createZstdCompress' in zlib)
