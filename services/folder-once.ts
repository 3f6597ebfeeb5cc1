import { access, chmod, lstat, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const abandonedAfter = 60 * 60 * 1000

/**
 * Makes `folder` if it is not there: `fill` works in a folder beside it, which gets the name only when complete.
 * Several processes may do so at once: one of them wins and all of them succeed.
 */
export async function folderOnce (folder: string, fill: (partial: string) => Promise<void>): Promise<string> {
  if (await exists(folder)) return folder
  await removeAbandoned(dirname(folder), `${basename(folder)}.partial-`)
  const partial = await mkdtemp(`${folder}.partial-`)
  try {
    await fill(partial)
    await rename(partial, folder)
  } catch (error) {
    // rename(2) refuses to replace a folder that has something in it: another process was faster.
    if (!await exists(folder)) throw error
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
  return folder
}

/** `folderOnce` for what other users have to read and run too. */
export function publicFolderOnce (folder: string, fill: (partial: string) => Promise<void>): Promise<string> {
  return folderOnce(folder, async (partial) => {
    await chmod(partial, 0o755)
    await fill(partial)
  })
}

/** Removes what processes that were killed left in `parent`: folders whose names begin so, an hour old, and not in use. */
export async function removeAbandoned (
  parent: string, prefix: string, unused: (folder: string) => Promise<boolean> = async () => true
): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(prefix)) continue
    const path = join(parent, name)
    // lstat, and only what is ours: in a shared folder anybody can make a link of that name. And not mtime: unpacking an
    // archive sets that to a date of the archive's.
    const age = await lstat(path).then((found) => found.isDirectory() ? Date.now() - found.ctimeMs : 0, () => 0)
    if (age > abandonedAfter && await unused(path).catch(() => false)) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

function exists (path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
