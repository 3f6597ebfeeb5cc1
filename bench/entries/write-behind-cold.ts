import { writesEntry } from '../writes.js'

export default writesEntry({ title: 'Writes of 100,000 cold ids, 256 at once, to Postgres', ids: 100_000, atLeast: 2 })
