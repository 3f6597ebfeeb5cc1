import { mkdtemp, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findProgram } from './find-program.js'
import { type RunningServer, startServer } from './running-server.js'
import { handOver } from './unprivileged-user.js'

export interface NginxOptions {
  /** Of the app behind it, on 127.0.0.1. It need not listen yet. */
  upstreamPort: number
  /** Default: a free port. */
  port?: number
  /** More directives, of its one location, such as `proxy_buffering off;`. */
  directives?: string
  /** Told one line when nginx has to be fetched first. */
  onProgress?: (line: string) => void
}

export interface NginxServer extends RunningServer {
  /** What it has written of errors. */
  log(): Promise<string>
}

/** As whoever it runs as, for no other to have a file of its folder. */
const writeConfigAndRun = 'printf %s "$2" >"$1/nginx.conf" && exec "$0" -p "$1" -c "$1/nginx.conf"'

/**
 * Starts a real nginx on 127.0.0.1 in front of an app, as it comes but for where its files are; resolves when it accepts
 * connections. Throws one line that says what to do when there is no nginx to be had.
 */
export async function startNginx (options: NginxOptions): Promise<NginxServer> {
  const nginx = await findProgram({
    name: 'nginx',
    // Not NGINX: by that one nginx hands its sockets to its successor.
    variable: 'NGINX_SERVER',
    packages: ['nginx'],
    path: 'usr/sbin/nginx',
    folder: 'nginx',
    version: '-v',
    remedy: 'install the package nginx (or put one on PATH), or set NGINX_SERVER to its path'
  }, options.onProgress)
  const folder = await mkdtemp(join(tmpdir(), 'headroom-nginx-'))
  const user = await handOver(folder, nginx.path)
  const logFile = join(folder, 'nginx.log')
  const isRoot = user === undefined && process.geteuid?.() === 0

  const server = await startServer({
    name: 'nginx',
    port: options.port,
    url: (port) => `http://127.0.0.1:${port}`,
    process: (port) => ({
      command: '/bin/sh',
      args: ['-c', writeConfigAndRun, nginx.path, folder, configFor(port, options, isRoot)],
      env: { PATH: process.env.PATH, ...nginx.env },
      user,
      // What it serves is cut: SIGQUIT would wait until every client has gone.
      stopSignal: 'SIGTERM',
      removeFolder: folder,
      logFile
    }),
    // It writes that file when it listens.
    isReady: async (_port, pid) => await readFile(join(folder, 'nginx.pid'), 'utf8').then(Number, () => 0) === pid,
    portTaken: /Address already in use/
  })
  return {
    ...server,
    get pid () { return server.pid },
    log: () => readFile(logFile, 'utf8')
  }
}

/** Paths are relative to the folder. */
function configFor (port: number, { upstreamPort, directives = '' }: NginxOptions, isRoot: boolean): string {
  return `
    daemon off;
    worker_processes 1;
    pid nginx.pid;
    lock_file nginx.lock;
    error_log stderr;
    ${isRoot ? '# Its worker would be nobody, whom root\'s folder is closed to.\nuser root;' : ''}
    events {}
    http {
      access_log off;
      client_body_temp_path body;
      proxy_temp_path proxy;
      fastcgi_temp_path fastcgi;
      uwsgi_temp_path uwsgi;
      scgi_temp_path scgi;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://127.0.0.1:${upstreamPort};
          # The default, until 1.29.7.
          proxy_http_version 1.0;
          ${directives}
        }
      }
    }
  `
}
