import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chown, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from './cache-folder.js'
import { folderOnce } from './folder-once.js'
import type { PostgresBinaries } from './postgres-binaries.js'
import { canEnter, type User } from './unprivileged-user.js'

const run = promisify(execFile)

const PASSWORD = 'headroom-password'

/**
 * A fresh data folder, made once a version and user: initdb takes most of a second, a copy of its work a tenth.
 * Superuser `postgres` with a random password, UTF-8, bytewise collation whatever the machine's locale.
 */
export async function postgresTemplate (binaries: PostgresBinaries, user: User | undefined): Promise<string> {
  const cache = await cacheFolder()
  if (!await canEnter(cache, user)) {
    throw new Error(`User ${user?.uid} cannot enter ${cache}; set FASTIFY_HEADROOM_CACHE to a folder whose parents all can be entered (chmod o+x)`)
  }
  const owner = user?.uid ?? process.geteuid?.()
  return folderOnce(join(cache, `postgres-data-${binaries.version}-${process.arch}-${owner}`), async (partial) => {
    // Whoever else is on this machine can reach the port, and a superuser can run programs as the server's user.
    const password = `${partial}.password`
    await writeFile(password, randomBytes(18).toString('base64url'), { mode: 0o600 })
    if (user !== undefined) await Promise.all([partial, password].map((path) => chown(path, user.uid, user.gid)))
    // Small WAL segments: a fresh folder of 39 MB is 16 MB of empty log, copied for every server.
    await run(binaries.initdb, [
      '--pgdata', partial, '--username=postgres', `--pwfile=${password}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C',
      '--wal-segsize=4', '--no-sync', '--no-instructions'
    ], { ...user, cwd: '/', env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } })
      .catch(async (error: unknown) => {
        await rm(password, { force: true })
        throw explained(error)
      })
    await rename(password, join(partial, PASSWORD))
  })
}

function explained (error: unknown): unknown {
  const nobody = /could not look up effective user ID (\d+)/.exec(String((error as { stderr?: unknown }).stderr))
  if (nobody === null) return error
  return new Error(
    `User ${nobody[1]} has no entry in /etc/passwd, which PostgreSQL's initdb needs: run as another user, or set DATABASE_URL`, { cause: error })
}

/** The password of the superuser `postgres` in a data folder made from the template; only its owner can read it. */
export async function passwordOf (folder: string): Promise<string> {
  return await readFile(join(folder, PASSWORD), 'utf8')
}

/** Copies the template into a folder that is there, with owner and modes: Postgres insists on both. */
export async function copyTemplate (template: string, folder: string): Promise<void> {
  // Some file systems share the blocks instead of copying them; only GNU's cp has the option.
  const clone = process.platform === 'linux' ? ['--reflink=auto'] : []
  await run('cp', ['-a', ...clone, `${template}/.`, folder])
}
