package store

// The tables of a node, by the first byte of their keys. The list is in one place so that no two share a byte; a byte is
// never used again for another meaning.
const (
	TableFormat byte = 0 // the store's own: the format version; no batch or scan reaches it

	TableEntries  byte = 'L' // slotlog/local: process, slot -> entry
	TableItems    byte = 'M' // store/items: id -> bytes of an item
	TableContents byte = 'B' // store/content: messages by what they say, by a second byte
	TableDedup    byte = 'D' // slotlog/local: process, message id or dedup key -> slot
	TableHeads    byte = 'E' // slotlog/local: process -> epoch, head
	TableEpochs   byte = 'P' // slotlog/local: partition -> epoch

	TablePlaces      byte = 'W' // schedule: message or assignment id, process -> slot
	TableAssignments byte = 'A' // schedule: process, slot, form -> signature of an assignment that follows from its entry
	TableHorizons    byte = 'H' // schedule: process -> time before which it gives no slot any more

	TableOrigins byte = 'F' // schedule: process that another scheduler began or continues -> first slot of this one, how it moved

	TableResults     byte = 'R' // compute: process, slot -> result
	TableCursors     byte = 'U' // compute: process -> next slot without a result
	TableCheckpoints byte = 'C' // compute: process, slot -> snapshot
	TableStates      byte = 'S' // compute: process, slot -> state after it, whole or as what changed
	TableSeen        byte = 'X' // compute: process, message id or hash -> slot evaluated first (foreign logs)

	TableTasks     byte = 'O' // push: process, slot, index -> task
	TablePushed    byte = 'o' // push: id of a pushed message -> task
	TablePushIndex byte = 'q' // push: further indexes over the tasks

	TableMonitors  byte = 'Y' // cron: process whose timers are watched
	TableCronTasks byte = 'y' // cron: id of a task -> the request that the node makes by itself
	TableCronEnded byte = 'z' // cron: id of a signature that asked for a task which has ended -> nothing

	TableGateway byte = 'G' // gateway: everything, by a second byte
	TableTags    byte = 'T' // gateway: tag index
	TableNode    byte = 'N' // node: its own settings
	TableCommon  byte = 'K' // node: what all nodes on one database agree in
)

// PrefixEnd is the upper bound of the keys that begin with the prefix; nil if there is none.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
