import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface StallingProxy {
  url: string
  /** From now on nothing passes, in either direction; connections stay open, as on a network that lost its way. */
  stall (): void
  /** What was held back passes. */
  resume (): void
  /** How many bytes the clients sent that have not passed. */
  held (): number
}

/** A network between a client and Redis. */
export async function stallingProxy (t: Test, target: string): Promise<StallingProxy> {
  const { hostname, port } = new URL(target)
  const lines: Array<{ client: Socket, redis: Socket, waiting: Array<[to: Socket, data: Buffer]> }> = []
  let stalled = false
  const server = createServer((client) => {
    const redis = connect(Number(port), hostname)
    const line = { client, redis, waiting: [] as Array<[Socket, Buffer]> }
    lines.push(line)
    const pass = (to: Socket) => (data: Buffer) => {
      if (stalled) line.waiting.push([to, data])
      else to.write(data)
    }
    client.on('data', pass(redis)).on('error', () => {}).on('close', () => redis.destroy())
    redis.on('data', pass(client)).on('error', () => {}).on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const { client, redis } of lines) { client.destroy(); redis.destroy() }
    server.close()
  })
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stall () { stalled = true },
    resume () {
      stalled = false
      for (const { waiting } of lines) for (const [to, data] of waiting.splice(0)) to.write(data)
    },
    held: () => lines.flatMap(({ redis, waiting }) => waiting.filter(([to]) => to === redis)).reduce((sum, [, data]) => sum + data.length, 0)
  }
}
