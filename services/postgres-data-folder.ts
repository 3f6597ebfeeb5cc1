import { mkdir, mkdtemp, readdir, readFile, readlink, realpath, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { folderOnce, removeAbandoned } from './folder-once.js'
import { copyTemplate } from './postgres-template.js'
import { canEnter, canUse, type User } from './unprivileged-user.js'

const THROW_AWAY = 'headroom-postgres-'

const patience = { running: 1_000, stopping: 10_000 }

/** Another PostgreSQL, still alive, works on the data folder. */
export class FolderInUseError extends Error {
  readonly code = 'HEADROOM_POSTGRES_FOLDER_IN_USE'

  constructor (folder: string) {
    super(`Another PostgreSQL is running on ${folder}: stop it, or choose another folder`)
  }
}

/** A new data folder in the system's temporary folder. */
export async function throwAwayData (template: string, user: User | undefined): Promise<string> {
  // In the end the unprivileged user removes it, so it must be allowed to write there, too.
  const parent = await canUse(tmpdir(), user) ? tmpdir() : '/tmp'
  await removeAbandoned(parent, THROW_AWAY, async (folder) => await readLock(folder) === undefined)
  const folder = await mkdtemp(join(parent, THROW_AWAY))
  await copyTemplate(template, folder)
  return folder
}

/**
 * A data folder that stays, made when missing and made ready for a start when there: what a crash left is cleared.
 * Throws FolderInUseError when a living server uses it.
 */
export async function lastingData (folder: string, template: string, user: User | undefined): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  if (!await canEnter(dirname(folder), user)) {
    throw new Error(`User ${user?.uid} runs PostgreSQL and cannot enter ${dirname(folder)}: open its parents (chmod o+x) or choose another folder`)
  }
  await rmdir(folder).catch(() => { /* Not there, or not empty. */ })
  await folderOnce(folder, async (partial) => {
    await copyTemplate(template, partial)
  })
  // Checked before anything starts there: in the end the folder may be removed.
  if (!(await readdir(folder)).includes('PG_VERSION')) {
    throw new Error(`${folder} holds something else than PostgreSQL's data: choose a new or an empty folder`)
  }
  // A server whose owner crashed a moment ago is about to end: worth waiting for.
  const start = Date.now()
  for (;;) {
    const lock = await readLock(folder)
    if (lock === undefined || !await isServing(folder, lock.pid)) break
    if (Date.now() - start > (lock.status === 'stopping' ? patience.stopping : patience.running)) {
      throw new FolderInUseError(folder)
    }
    await delay(50)
  }
  // Postgres removes a stale lock itself, unless its pid has become another program's: common in containers.
  await rm(join(folder, 'postmaster.pid'), { force: true })
}

/** What a server says of itself in its data folder: pg_ctl waits on the same line. */
export async function readLock (folder: string): Promise<{ pid: number, status: string } | undefined> {
  const text = await readFile(join(folder, 'postmaster.pid'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const lines = text.split('\n')
  return { pid: Number(lines[0]), status: (lines[7] ?? 'starting').trim() }
}

async function isServing (folder: string, pid: number): Promise<boolean> {
  if (!isAlive(pid) || process.platform !== 'linux') return isAlive(pid)
  try {
    // Postgres works in its data folder; another program with that pid does not.
    return await readlink(`/proc/${pid}/cwd`) === await realpath(folder)
  } catch (error) {
    // Another user's process: believe the lock. ENOENT is a zombie.
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

function isAlive (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
