/**
 * Starts what most tests only talk to: a Postgres, a Redis, a Cluster and a Sentinel set for all of them, which each of them would
 * else start and end for itself. `variables` hand them on, to test/helpers.
 *
 * @param {string} built the folder with the built services
 */
export async function startServers (built) {
  const service = (name) => import(new URL(`../${built}/services/${name}.js`, import.meta.url))
  const [{ startPostgresServer }, { startRedisServer }, { startRedisCluster }, { startRedisSentinel }, { talk }] =
    await Promise.all(['postgres-server', 'redis-server', 'redis-cluster', 'redis-sentinel', 'redis-group'].map(service))

  const onProgress = console.log
  const started = []
  const stop = async () => { await Promise.all(started.map((server) => server.stop())) }
  const start = async (starting) => {
    const server = await starting
    started.push(server)
    return server
  }
  try {
    // First alone: it has Redis fetched where there is none.
    const redis = await start(startRedisServer({ onProgress }))
    const starts = await Promise.allSettled([startPostgresServer(), startRedisCluster({ replicas: 0 }), startRedisSentinel({ guards: 1 })].map(start))
    for (const { reason } of starts) if (reason) throw reason
    const [postgres, cluster, sentinel] = starts.map(({ value }) => value)
    for (const guard of sentinel.guards) await talk(guard, (client) => watchCalmly(client, sentinel.name))
    return {
      stop,
      variables: {
        SUITE_POSTGRES: postgres.url,
        SUITE_REDIS: redis.url,
        SUITE_CLUSTER: JSON.stringify(cluster.startupNodes),
        SUITE_SENTINEL: JSON.stringify({ sentinels: sentinel.sentinels, name: sentinel.name })
      }
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Nobody fails over here: a busy machine must not look like a dead master, and to look ten times a second is of no use. */
async function watchCalmly (guard, name) {
  await guard.call('SENTINEL', 'SET', name, 'down-after-milliseconds', 60_000)
  await guard.call('SENTINEL', 'DEBUG', 'INFO-PERIOD', 10_000, 'PUBLISH-PERIOD', 2_000, 'ASK-PERIOD', 1_000)
}
