import type { Test } from 'tap'
import { type NginxOptions, type NginxServer, startNginx } from '../../services/nginx-server.js'

/** An nginx of the test's own, in front of an app. */
export async function ownNginx (t: Test, options: NginxOptions): Promise<NginxServer> {
  const server = await startNginx({ onProgress: (line) => { t.comment(line) }, ...options })
  t.teardown(() => server.stop())
  return server
}
