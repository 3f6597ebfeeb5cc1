import autocannon from 'autocannon'

export interface Load {
  url: string
  connections: number
  seconds: number
  headers?: Readonly<Record<string, string>>
  /** Of each reply. Default 200. */
  status?: number
}

export interface Loaded {
  /** Replies. */
  requests: number
  /** Seconds it really took. */
  seconds: number
  /** Milliseconds, one a reply. */
  times: number[]
}

/**
 * Keeps `connections` busy, each asking again as soon as it is answered.
 *
 * @throws when a reply has another status or a connection fails: whatever was measured then, it was not the route
 */
export async function load ({ url, connections, seconds, headers = {}, status = 200 }: Load): Promise<Loaded> {
  const times: number[] = []
  let others = 0
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const running = autocannon({ url, connections, duration: seconds, headers }, (error: Error | null, result) => {
      if (error) reject(error)
      else resolve(result)
    })
    // autocannon's own histogram counts whole milliseconds, too coarse for a route that takes less than one.
    running.on('response', (_client, replied, _bytes, time) => {
      times.push(time)
      if (replied !== status) others++
    })
  })
  if (others > 0 || result.errors > 0) {
    throw new Error(`${url}: expected ${status} only, got ${others} other replies and ${result.errors} failed connections`)
  }
  if (times.length === 0) throw new Error(`${url}: no reply within ${seconds} s`)
  return { requests: times.length, seconds: (result.finish.getTime() - result.start.getTime()) / 1_000, times }
}
