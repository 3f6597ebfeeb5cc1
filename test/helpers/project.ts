import { existsSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the project, with a slash: the tests run as they are written, and from where they are built. */
export const project = folderOf(dirname(fileURLToPath(import.meta.url)))

/** A TypeScript file beside the one of `from`, or where that is built, what became of it. */
export function fixture (path: string, from: string): URL {
  return new URL(path.replace(/\.ts$/, extname(from)), from)
}

function folderOf (folder: string): string {
  return existsSync(join(folder, 'package.json')) ? join(folder, '/') : folderOf(dirname(folder))
}
