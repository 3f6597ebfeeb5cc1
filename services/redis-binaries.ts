import { execFile } from 'node:child_process'
import { access, constants, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache-folder.js'
import { fetchDebianPackages, libraryPath } from './debian-packages.js'

const run = promisify(execFile)

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
  const { REDIS_SERVER, PATH = '' } = process.env
  if (REDIS_SERVER) {
    if (await isExecutable(REDIS_SERVER)) return { server: REDIS_SERVER, env: {} }
    throw new Error(`REDIS_SERVER must be the path of a redis-server, got ${REDIS_SERVER}, which cannot be run`)
  }
  for (const folder of PATH.split(delimiter).filter(Boolean)) {
    const server = join(folder, 'redis-server')
    if (await isExecutable(server)) return { server, env: {} }
  }
  try {
    return await debianRedis(onProgress)
  } catch (cause) {
    throw new Error(
      'No redis-server: install the package redis-server (or put one on PATH), set REDIS_SERVER to its path, or set REDIS_URL to a running Redis',
      { cause }
    )
  }
}

async function debianRedis (onProgress?: (line: string) => void): Promise<RedisBinaries> {
  const folder = join(await cacheFolder(), `redis-${await systemName()}`)
  const server = join(folder, 'usr/bin/redis-server')
  if (!await isExecutable(server)) {
    onProgress?.("Fetching redis-server from Debian's packages, once…")
    await fetchDebianPackages(['redis-server', 'redis-tools'], folder)
  }
  const found = { server, env: { LD_LIBRARY_PATH: await libraryPath(folder) } }
  await run(found.server, ['--version'], { env: found.env })
  return found
}

/** Distribution, release and architecture: a home folder can be shared by machines whose libraries differ. */
async function systemName (): Promise<string> {
  const release = await readFile('/etc/os-release', 'utf8')
  const value = (key: string) => new RegExp(`^${key}="?([\\w.-]+)`, 'm').exec(release)?.[1] ?? ''
  return `${value('ID')}${value('VERSION_ID')}-${process.arch}`
}

function isExecutable (path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(() => true, () => false)
}
