import { onMounted, onScopeDispose, ref, type Ref } from 'vue'
import { hasTagReader, onTag, readerAllowed, switchReaderOn, type TagReading } from '@/device/tag'

export interface TagReader {
  nfc: boolean
  reading: Ref<boolean>
  turnOn: () => Promise<boolean>
}

/** The tag reader for as long as a page is open. */
export function useTagReader(heard: (reading: TagReading) => void): TagReader {
  const reading = ref(false)

  async function turnOn(): Promise<boolean> {
    reading.value = await switchReaderOn().then(() => true, () => false)
    return reading.value
  }

  onMounted(async () => {
    if (await readerAllowed()) await turnOn()
  })
  onScopeDispose(onTag(heard))
  return { nfc: hasTagReader(), reading, turnOn }
}
