import { execFile } from 'node:child_process'
import { access, constants, readFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache-folder.js'
import { fetchDebianPackages, libraryPath } from './debian-packages.js'

const run = promisify(execFile)

export interface Program {
  path: string
  /** What its environment needs beside the usual. */
  env: Record<string, string>
}

export interface WantedProgram {
  /** What it is called on PATH. */
  name: string
  /** The environment variable with its path. */
  variable: string
  /** Debian's. */
  packages: string[]
  /** Where it is in them. */
  path: string
  /** Of the folder that they are cached in. */
  folder: string
  /** The argument on which it tells its version. */
  version: string
  /** What whoever has none is to do. */
  remedy: string
}

/**
 * Finds a program: the one that its variable names, else the one on PATH, else Debian's package, fetched once into
 * the cache folder; `onProgress` is told when that happens. Throws one line that says what to install or set when
 * there is none.
 */
export async function findProgram (wanted: WantedProgram, onProgress?: (line: string) => void): Promise<Program> {
  const { name, variable, remedy } = wanted
  const { [variable]: named, PATH = '' } = process.env
  if (named) {
    if (await isExecutable(named)) return { path: named, env: {} }
    throw new Error(`${variable} must be the path of a ${name}, got ${named}, which cannot be run`)
  }
  for (const folder of PATH.split(delimiter).filter(Boolean)) {
    const path = join(folder, name)
    if (await isExecutable(path)) return { path, env: {} }
  }
  try {
    return await debianProgram(wanted, onProgress)
  } catch (cause) {
    throw new Error(`No ${name}: ${remedy}`, { cause })
  }
}

async function debianProgram (wanted: WantedProgram, onProgress?: (line: string) => void): Promise<Program> {
  const folder = join(await cacheFolder(), `${wanted.folder}-${await systemName()}`)
  const path = join(folder, wanted.path)
  if (!await isExecutable(path)) {
    onProgress?.(`Fetching ${wanted.name} from Debian's packages, once…`)
    await fetchDebianPackages(wanted.packages, folder)
  }
  const found = { path, env: { LD_LIBRARY_PATH: await libraryPath(folder) } }
  await run(found.path, [wanted.version], { env: found.env })
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
