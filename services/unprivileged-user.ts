import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
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

function test (script: string, folder: string, user: User | undefined): Promise<boolean> {
  return run('/bin/sh', ['-c', script, 'sh', folder], { ...user, cwd: '/' }).then(() => true, () => false)
}
