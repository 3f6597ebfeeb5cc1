import mongoose from 'mongoose'
import t from 'tap'
import { useMongo } from '../helpers/mongo.js'
import { buildApp } from './build-app.js'

const USERS = Array.from({ length: 250 }, (_, index) => ({ _id: index, name: `User ${index}` }))

t.test('a cursor of Mongoose and one of the driver are streamed to their end, and closed', async (t) => {
  const { url } = await useMongo(t)
  const connection = await mongoose.createConnection(url).asPromise()
  t.teardown(() => connection.close())
  const User = connection.model('User', new mongoose.Schema({ _id: Number, name: String }))
  await User.insertMany(USERS)
  const opened: Array<{ closed: boolean }> = []
  const { app } = await buildApp(t, 'postgres://nobody@127.0.0.1:1/none', (app) => {
    app.get('/mongoose', async (_request, reply) => await reply.streamRows(User.find().lean().cursor(), { columns: ['_id', 'name'] }))
    app.get('/driver', async (_request, reply) => {
      const cursor = User.collection.find()
      opened.push(cursor)
      return await reply.streamRows(cursor, { columns: ['_id', 'name'] })
    })
  })
  for (const path of ['/mongoose', '/driver']) {
    t.strictSame((await app.inject(path)).json(), USERS)
    const { body } = await app.inject({ url: path, headers: { accept: 'text/csv' } })
    t.strictSame(body.split('\r\n'), ['_id,name', ...USERS.map(({ _id, name }) => `${_id},${name}`), ''])
  }
  t.strictSame(opened.map(({ closed }) => closed), [true, true])
  t.match(app.streamReply.stats(), { running: 0, complete: 4, paths: { iterable: 4 } })
})
