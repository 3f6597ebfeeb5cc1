import mongoose, { type Connection, type ConnectOptions, type Model } from 'mongoose'
import type { Test } from 'tap'
import type { PoolStatus } from '../../plugins/pool-health/index.js'

export interface Thing {
  name: string
}

/** It makes neither collection nor indexes by itself: what a test counts is what the test asks for. */
const thing = new mongoose.Schema<Thing>({ name: String }, { autoCreate: false, autoIndex: false })

/** A connection of Mongoose that ends with the test, after the app. It hears soon of a server that is gone. */
export async function connectMongoose (t: Test, url: string, options: ConnectOptions = {}): Promise<Connection> {
  const impatient = { heartbeatFrequencyMS: 50, minHeartbeatFrequencyMS: 5, serverSelectionTimeoutMS: 400, autoCreate: false }
  const connection = await mongoose.createConnection(url, { ...impatient, ...options }).asPromise()
  t.teardown(() => connection.close())
  return connection
}

export function things (connection: Connection): Model<Thing> {
  return connection.model('Thing', thing)
}

/** Fails the test where the counters do not tell one story with the gauges; to be asked when no connection is being opened */
export function addUp (t: Test, status: PoolStatus): void {
  const { asked, acquired, timeouts, failed, refused, expired, waiting, released, opened, closed, size, idle } = status
  t.equal(asked, acquired + timeouts + failed + refused + expired + waiting, `all who asked: ${JSON.stringify(status)}`)
  t.equal(released, acquired - (size - idle), 'all who have a connection')
  t.equal(opened - closed, size, 'all connections')
}
