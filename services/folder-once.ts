import { access, chmod, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const abandonedAfter = 60 * 60 * 1000

/**
 * Makes `folder` if it is not there: `fill` works in a folder beside it, which gets the name only when complete.
 * Several processes may do so at once: one of them wins and all of them succeed.
 */
export async function folderOnce (folder: string, fill: (partial: string) => Promise<void>): Promise<string> {
  if (await exists(folder)) return folder
  await removeAbandoned(folder)
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

async function removeAbandoned (folder: string): Promise<void> {
  const parent = dirname(folder)
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${basename(folder)}.partial-`)) continue
    const path = join(parent, name)
    // Not mtime: unpacking an archive sets that to a date of the archive's.
    const age = await stat(path).then(({ ctimeMs }) => Date.now() - ctimeMs, () => 0)
    if (age > abandonedAfter) await rm(path, { recursive: true, force: true })
  }
}

function exists (path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}
