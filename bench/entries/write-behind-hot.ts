import { writesEntry } from '../writes.js'

export default writesEntry({ title: 'Writes of 1,000 hot ids, 256 at once, to Postgres', ids: 1_000, atLeast: 5 })
