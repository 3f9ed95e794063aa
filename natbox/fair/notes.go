package fair

import (
	"fmt"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/natbox/observe"
)

// notes are what the queue has done.
type notes struct {
	classes []observe.Count // that went, by class, the default one last
	dropped []observe.Count
	queues  map[int]observe.Count // that went, by queue
}

func newNotes(classes int) notes {
	return notes{classes: make([]observe.Count, classes), dropped: make([]observe.Count, classes), queues: map[int]observe.Count{}}
}

func (n *notes) send(queue int, w waiting) {
	add(&n.classes[w.class], w.size)
	c := n.queues[queue]
	add(&c, w.size)
	n.queues[queue] = c
}

func (n *notes) drop(class, size int) { add(&n.dropped[class], size) }

func add(c *observe.Count, size int) { c.Packets, c.Bytes = c.Packets+1, c.Bytes+uint64(size) }

// Observe implements observe.Instrument: a queue sees what is put into it alone.
func (q *Queue) Observe(time.Duration, []byte) {}

// Notes implements observe.Instrument: what went, by class and by queue, and what was dropped.
func (q *Queue) Notes(time.Duration) (n observe.Notes) {
	for i := range q.notes.classes {
		name := observe.DefaultClass
		if i < len(q.classes) {
			name = q.classes[i].Name
		}
		n.Counts = append(n.Counts, observe.Named{Name: name, Count: q.notes.classes[i]})
		n.Lost = append(n.Lost, observe.Named{Name: name, Count: q.notes.dropped[i]})
	}
	for at := range q.notes.queues {
		n.Queues = append(n.Queues, observe.Queued{Number: at, Count: q.notes.queues[at]})
	}
	slices.SortFunc(n.Queues, func(a, b observe.Queued) int { return a.Number - b.Number })
	return n
}

// Name is what a queue of Notes is for.
func (q *Queue) Name(number int) string {
	if number < len(q.classes) {
		return "class " + q.classes[number].Name
	}
	return fmt.Sprintf("flows %d", number-len(q.classes))
}
