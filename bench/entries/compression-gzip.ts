import { compressedEntry } from '../compressed.js'

export default compressedEntry('gzip')
