import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Test } from 'tap'
import { clearWay, OneWay, type Way } from './one-way.js'

export type Direction = 'toServer' | 'toClient'

/**
 * A network between clients and a server, whose faults are ours to choose. Each applies to the connections there are
 * and to those that come, in one direction or, by default, in both.
 */
export interface TcpProxy {
  readonly port: number
  /** The target's URL, but through the proxy. */
  readonly url: string
  /** How many connections are open. */
  readonly connections: number
  /** How many bytes have come out, over all connections. */
  passed(direction: Direction): number
  /** How many bytes have come in and not yet out. */
  held(direction: Direction): number
  /** What comes in from now on comes out so many milliseconds later; what is on its way keeps its time. */
  delay(milliseconds: number, direction?: Direction): void
  /**
   * Resets each connection when so many more bytes have come out; with 0, in place of the first.
   * Counted for every connection, and for those that are open from now. `Infinity` takes it back.
   */
  cutAfter(bytes: number, direction: Direction): void
  /** Nothing comes out any more, not even that a side has closed: connections stay open, as when a cable is pulled. */
  swallow(direction?: Direction): void
  /** What was swallowed comes out, and all that follows. */
  letThrough(direction?: Direction): void
  /** Resets all connections. */
  cutAll(): void
  /** New connections are refused; those that are open stay. */
  refuse(): void
  /** New connections are accepted again. */
  accept(): Promise<void>
}

/**
 * In milliseconds, between the last byte and the reset. libuv reports a reset that it finds together with bytes as an
 * end in good order, so whoever receives must have had the time to read.
 */
const breath = 10

const directions = ['toServer', 'toClient'] as const

const usualPorts: Record<string, number> = { 'redis:': 6379, 'postgres:': 5432, 'postgresql:': 5432, 'http:': 80 }

/** Starts a proxy for any protocol over TCP, to the server of a URL or on a port of 127.0.0.1. It ends with the test. */
export async function startProxy (t: Test, target: string | number): Promise<TcpProxy> {
  const url = new URL(typeof target === 'number' ? `tcp://127.0.0.1:${target}` : target)
  const upstream = { host: url.hostname, port: Number(url.port) || usualPorts[url.protocol]! }
  const ways: Record<Direction, Way> = { toServer: clearWay(), toClient: clearWay() }
  const lines = new Set<Line>()
  let listener = await listen(0)
  const { port } = listener.address() as AddressInfo
  url.host = `127.0.0.1:${port}`

  async function listen (port: number): Promise<Server> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, join)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  function join (client: Socket): void {
    const server = connect({ ...upstream, allowHalfOpen: true, noDelay: true })
    const ends = [client, server]
    const line: Line = {
      toServer: new OneWay(client, server, ways.toServer, cut),
      toClient: new OneWay(server, client, ways.toClient, cut),
      cut,
      reset () { for (const end of ends) sendReset(end) }
    }
    function cut (): void {
      for (const direction of directions) line[direction].stop()
      setTimeout(() => { setImmediate(line.reset) }, breath)
    }
    lines.add(line)
    for (const end of ends) end.on('close', () => { if (ends.every((end) => end.destroyed)) lines.delete(line) })
  }

  function change (direction: Direction | undefined, act: (way: Way) => void): void {
    for (const each of direction === undefined ? directions : [direction]) {
      act(ways[each])
      for (const line of lines) line[each].pump()
    }
  }

  function cutAll (): void {
    for (const { cut } of lines) cut()
  }

  t.teardown(() => {
    for (const { reset } of lines) reset()
    listener.close()
  })
  return {
    port,
    url: url.href,
    get connections () { return lines.size },
    passed: (direction) => ways[direction].passed,
    held: (direction) => [...lines].reduce((sum, line) => sum + line[direction].held, 0),
    delay (milliseconds, direction) {
      change(direction, (way) => { way.delay = milliseconds })
    },
    cutAfter (bytes, direction) {
      ways[direction].cutAfter = bytes
      for (const line of lines) line[direction].cutAfter(bytes)
    },
    swallow (direction) {
      change(direction, (way) => { way.swallow = true })
    },
    letThrough (direction) {
      change(direction, (way) => { way.swallow = false })
    },
    cutAll,
    refuse () {
      listener.close()
    },
    async accept () {
      if (!listener.listening) listener = await listen(port)
    }
  }
}

/** One connection. */
interface Line extends Record<Direction, OneWay> {
  /** Breaks it as a network does, between two messages. */
  cut: () => void
  /** Breaks it at once. */
  reset: () => void
}

/** Not `resetAndDestroy`, which writes all there is and sends a FIN before the RST. */
function sendReset (socket: Socket): void {
  // While a FIN is on its way libuv refuses to reset, and Node then would leave the socket open.
  const ending = socket.writableEnded && !socket.writableFinished
  Object.assign(socket, { resetAndClosing: !ending }).destroy()
}
