import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { publicFolderOnce } from './folder-once.js'

const run = promisify(execFile)
const timeout = 120_000

/**
 * Unpacks Debian packages, and those of their dependencies that are not installed, into `folder`, once.
 * Needs neither root nor the package manager's locks and leaves the system as it was.
 * Throws what apt-get said when the packages cannot be had.
 */
export async function fetchDebianPackages (names: string[], folder: string): Promise<void> {
  await publicFolderOnce(folder, async (partial) => {
    const scratch = await mkdtemp(join(tmpdir(), 'headroom-apt-'))
    try {
      const archives = await download(names, scratch)
      for (const archive of archives) await run('dpkg', ['-x', archive, partial], { timeout })
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  })
}

/** `LD_LIBRARY_PATH` for programs of an unpacked folder. */
export async function libraryPath (folder: string): Promise<string> {
  const found: string[] = []
  for (const lib of [join(folder, 'usr/lib'), join(folder, 'lib')]) {
    const names = await readdir(lib).catch(() => [])
    found.push(...names.filter((name) => name.includes('-linux-')).map((triplet) => join(lib, triplet)))
  }
  return found.join(':')
}

async function download (names: string[], scratch: string): Promise<string[]> {
  const archives = join(scratch, 'archives')
  const lists = join(scratch, 'lists')
  // apt-get refuses to start without the folders for half-done downloads.
  await mkdir(join(archives, 'partial'), { recursive: true })
  await mkdir(join(lists, 'partial'), { recursive: true })

  const install = ['--download-only', '--no-install-recommends', 'install', ...names]
  const own = ['-o', `Dir::State::lists=${lists}`]
  const config = await aptConfig(scratch, archives)
  try {
    await apt(config, install)
  } catch {
    // Slim images have no package lists, and old lists name files that are gone: fetch lists of our own.
    await apt(config, [...own, 'update'])
    await apt(config, [...own, ...install])
  }
  const files = await readdir(archives)
  return files.filter((name) => name.endsWith('.deb')).map((name) => join(archives, name))
}

async function aptConfig (scratch: string, archives: string): Promise<string> {
  const file = join(scratch, 'apt.conf')
  // A file and not -o options: only a file can #clear the hooks with which images empty /var/cache/apt.
  await writeFile(file, `
    Dir::Cache::archives "${archives}";
    Dir::Cache::pkgcache "";
    Dir::Cache::srcpkgcache "";
    Debug::NoLocking "true";
    ${process.geteuid?.() === 0 ? 'APT::Sandbox::User "root";' : ''}
    Acquire::Retries "1";
    Acquire::http::Timeout "15";
    #clear APT::Update::Pre-Invoke;
    #clear APT::Update::Post-Invoke;
    #clear APT::Update::Post-Invoke-Success;
  `)
  return file
}

async function apt (config: string, args: string[]): Promise<void> {
  const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['-c', config, '-q', '-y', ...args], { env, timeout, maxBuffer: 16 << 20 })
}
