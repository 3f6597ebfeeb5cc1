import { randomBytes } from 'node:crypto'
import mongoose from 'mongoose'
import type { Test } from 'tap'
import { type MongoServer, startMongoServer } from './mongo-server.js'

export interface UsedMongo {
  /** Of an empty database. */
  url: string
}

/**
 * An empty database for this test, where no fault is needed: on the real server of `MONGODB_URI`, dropped in the end, else on a
 * small one of the test's own, which knows a few commands only. If the URI has a password, then also an `authSource`, because the
 * database in its path becomes another.
 */
export async function useMongo (t: Test): Promise<UsedMongo> {
  const { MONGODB_URI } = process.env
  if (!MONGODB_URI) return { url: (await ownMongo(t)).url }
  // Not by `URL`, which knows of one host only.
  const [, server, query] = /^([^/]*\/\/[^/?]*)(?:\/[^?]*)?(.*)$/.exec(MONGODB_URI)!
  const url = `${server}/headroom_test_${randomBytes(6).toString('hex')}${query}`
  t.teardown(() => dropDatabase(url))
  return { url }
}

/** A server of the test's own, made for tests, whatever the environment: for tests that hold its answers, kill or restart it. */
export async function ownMongo (t: Test): Promise<MongoServer> {
  const server = await startMongoServer()
  t.teardown(() => server.stop())
  return server
}

async function dropDatabase (url: string): Promise<void> {
  const client = new mongoose.mongo.MongoClient(url, { serverSelectionTimeoutMS: 2_000 })
  try {
    await client.db().dropDatabase()
  } finally {
    await client.close()
  }
}
