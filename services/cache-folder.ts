import { chmod, mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/**
 * The folder that keeps what is fetched or prepared once: binaries, database templates. Made when missing.
 *
 * `FASTIFY_HEADROOM_CACHE` decides; else root uses `/var/cache/fastify-headroom`, everyone else
 * `$XDG_CACHE_HOME/fastify-headroom` or `~/.cache/fastify-headroom`.
 */
export async function cacheFolder (): Promise<string> {
  const folder = process.env.FASTIFY_HEADROOM_CACHE || defaultFolder()
  // Only what we make ourselves is opened up: as root, Postgres runs as another user and has to get in.
  const made = await mkdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${folder} cannot be made (${error.code}): set FASTIFY_HEADROOM_CACHE to a folder that you can write to`, { cause: error })
  })
  if (made !== undefined) await chmod(folder, 0o755)
  return folder
}

function defaultFolder (): string {
  // Root's home is closed to the unprivileged user that runs Postgres; /var/cache is not.
  if (process.geteuid?.() === 0) return '/var/cache/fastify-headroom'
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'fastify-headroom')
}
