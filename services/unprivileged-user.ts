import { execFile } from 'node:child_process'
import { chown, readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface User { uid: number, gid: number }

/**
 * Whom to run as what refuses to run as root: nobody, who exists everywhere, so that no user has to be made.
 * `undefined` when we are not root: then we are unprivileged ourselves.
 */
export async function unprivilegedUser (): Promise<User | undefined> {
  if (process.geteuid?.() !== 0) return undefined
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '')
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? []
  return { uid: Number(uid ?? 65534), gid: Number(gid ?? 65534) }
}

/** Whether the user can enter a folder: one closed parent is enough to keep it out. */
export function canEnter (folder: string, user: User | undefined): Promise<boolean> {
  return test('test -x "$1"', folder, user)
}

/** Whether the user can enter a folder, and make and remove things in it. */
export function canUse (folder: string, user: User | undefined): Promise<boolean> {
  return test('test -x "$1" && test -w "$1"', folder, user)
}

/**
 * As root, gives a throw-away folder to the user that a server then runs as: whoever is on this machine can reach its port.
 * Not where that user may not use the folder or the program; then the server runs as we do.
 */
export async function handOver (folder: string, program: string): Promise<User | undefined> {
  const user = await unprivilegedUser()
  if (user === undefined) return undefined
  // In the end that user removes the folder, so it must be allowed to write where it stands.
  if (!await canUse(dirname(folder), user) || !await canEnter(dirname(program), user)) return undefined
  for (const path of [folder, ...(await readdir(folder)).map((name) => join(folder, name))]) await chown(path, user.uid, user.gid)
  return user
}

function test (script: string, folder: string, user: User | undefined): Promise<boolean> {
  return run('/bin/sh', ['-c', script, 'sh', folder], { ...user, cwd: '/' }).then(() => true, () => false)
}
