import { findProgram } from './find-program.js'

export interface RedisBinaries {
  /** Path of redis-server. */
  server: string
  /** What its environment needs beside the usual. */
  env: Record<string, string>
}

/**
 * Finds redis-server: `REDIS_SERVER` (a path), else the one on PATH, else Debian's package, fetched once into
 * the cache folder; `onProgress` is told when that happens. Throws one line that says what to install or set when
 * there is none.
 */
export async function findRedis (onProgress?: (line: string) => void): Promise<RedisBinaries> {
  const { path, env } = await findProgram({
    name: 'redis-server',
    variable: 'REDIS_SERVER',
    packages: ['redis-server', 'redis-tools'],
    path: 'usr/bin/redis-server',
    folder: 'redis',
    version: '--version',
    remedy: 'install the package redis-server (or put one on PATH), set REDIS_SERVER to its path, or set REDIS_URL to a running Redis'
  }, onProgress)
  return { server: path, env }
}
