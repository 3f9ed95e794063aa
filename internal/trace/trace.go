// Package trace is the typed record of what happened in a world: one Event per
// thing that a reader, a report or a test may want to know, in the order in
// which it happened, printed as JSON lines that are the same bytes for the same
// seed.
//
// An event's time is virtual, counted from the start of the world. Each kind of
// event is one struct in events.go; its Kind names it in the file, and Read
// restores the struct from the name.
package trace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is one record.
type Event struct {
	At   time.Duration // since the start of the world
	Node string        // the host or box it happened on; empty for the world itself
	Body Body
}

// Body is the typed part of an event: one of the structs of this package.
type Body interface {
	// Kind is the name in the file, "area.what".
	Kind() string
}

// Log keeps events in memory, writes them as they come and hands them to
// observers. It belongs to one world and is not safe for concurrent use. A nil
// *Log records nothing.
type Log struct {
	events    []Event
	w         io.Writer
	line      bytes.Buffer // the last line written, to be used again
	err       error
	observers []func(Event)
}

// New makes a log that also writes each event to w as one JSON line; a nil w writes nothing.
func New(w io.Writer) *Log { return &Log{w: w} }

// Observe has f called with every later event, at the time it is recorded.
func (l *Log) Observe(f func(Event)) {
	if l != nil {
		l.observers = append(l.observers, f)
	}
}

// Record appends an event.
func (l *Log) Record(at time.Duration, node string, b Body) {
	if l == nil {
		return
	}
	e := Event{At: at, Node: node, Body: b}
	l.events = append(l.events, e)
	if l.w != nil && l.err == nil {
		l.line.Reset()
		if l.err = e.encode(&l.line); l.err == nil {
			l.line.WriteByte('\n')
			_, l.err = l.w.Write(l.line.Bytes())
		}
	}
	for _, f := range l.observers {
		f(e)
	}
}

// Events are all records so far, oldest first. The slice is the log's own.
func (l *Log) Events() []Event {
	if l == nil {
		return nil
	}
	return l.events
}

// Err is the first error met while writing.
func (l *Log) Err() error {
	if l == nil {
		return nil
	}
	return l.err
}

// wire is an Event as it stands in a file.
type wire struct {
	T    int64           `json:"t"` // nanoseconds
	Node string          `json:"node,omitempty"`
	Kind string          `json:"kind"`
	Data json.RawMessage `json:"data"`
}

// MarshalJSON writes {"t":ns,"node":…,"kind":…,"data":{…}}.
func (e Event) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := e.encode(&b)
	return b.Bytes(), err
}

// encode appends the JSON of the event: what json.Marshal makes of a wire,
// without going over the data twice.
func (e Event) encode(b *bytes.Buffer) error {
	b.WriteString(`{"t":`)
	b.Write(strconv.AppendInt(b.AvailableBuffer(), int64(e.At), 10))
	encoder := json.NewEncoder(b)
	if e.Node != "" {
		b.WriteString(`,"node":`)
		if err := encoder.Encode(e.Node); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the line's end
	}
	b.WriteString(`,"kind":"` + e.Body.Kind() + `","data":`) // kinds are plain words
	if err := encoder.Encode(e.Body); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1)
	b.WriteByte('}')
	return nil
}

// UnmarshalJSON restores the event with a pointer-free body of its kind.
func (e *Event) UnmarshalJSON(b []byte) error {
	var w wire
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	decode, ok := kinds[w.Kind]
	if !ok {
		return fmt.Errorf("unknown kind of event %q", w.Kind)
	}
	body, err := decode(w.Data)
	if err != nil {
		return fmt.Errorf("%s: %w", w.Kind, err)
	}
	*e = Event{At: time.Duration(w.T), Node: w.Node, Body: body}
	return nil
}

// Read restores the events of a trace.jsonl, each line at most 16 MiB long. On an
// error it also returns the events before it.
func Read(r io.Reader) ([]Event, error) {
	var events []Event
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 16<<20)
	for n := 1; sc.Scan(); n++ {
		var e Event
		if err := e.UnmarshalJSON(sc.Bytes()); err != nil {
			return events, fmt.Errorf("trace: line %d: %w", n, err)
		}
		events = append(events, e)
	}
	if err := sc.Err(); err != nil {
		return events, fmt.Errorf("trace: after %d events: %w", len(events), err)
	}
	return events, nil
}

// Kinds are the names of all kinds of event, sorted.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// FieldNames are the names that the data of events of a kind may have, in their order.
func FieldNames(kind string) []string { return fieldNames[kind] }

// Fields are the data of an event by the names that they have in the file:
// texts, json.Numbers, truth values, lists and mappings.
func Fields(b Body) map[string]any {
	data, err := json.Marshal(b)
	if err != nil {
		return nil // a body of a kind that no file can hold
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var fields map[string]any
	if d.Decode(&fields) != nil {
		return nil
	}
	return fields
}

var (
	kinds      = map[string]func([]byte) (Body, error){}
	fieldNames = map[string][]string{}
	types      = map[string]reflect.Type{}
)

func register[B Body]() {
	var zero B
	types[zero.Kind()] = reflect.TypeFor[B]()
	kinds[zero.Kind()] = func(b []byte) (Body, error) {
		var body B
		err := json.Unmarshal(b, &body)
		return body, err
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[B]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fieldNames[zero.Kind()] = append(fieldNames[zero.Kind()], name)
		}
	}
}
