package swan

import (
	"iter"
	"strconv"
	"time"

	"github.com/strongswan/govici/vici"
)

// fields reads a message of which nothing is certain.
type fields struct{ m *vici.Message }

func (f fields) get(key string) any {
	if f.m == nil {
		return nil
	}
	return f.m.Get(key)
}

func (f fields) text(key string) string {
	s, _ := f.get(key).(string)
	return s
}

func (f fields) list(key string) []string {
	l, _ := f.get(key).([]string)
	return l
}

func (f fields) section(key string) fields {
	m, _ := f.get(key).(*vici.Message)
	return fields{m}
}

// sections are those of the message, in their order.
func (f fields) sections() iter.Seq2[string, fields] {
	return func(yield func(string, fields) bool) {
		if f.m == nil {
			return
		}
		for _, key := range f.m.Keys() {
			if m, ok := f.m.Get(key).(*vici.Message); ok && !yield(key, fields{m}) {
				return
			}
		}
	}
}

func (f fields) yes(key string) bool { return f.text(key) == "yes" }

func (f fields) number(key string) uint64 {
	return sure(strconv.ParseUint(f.text(key), 10, 64))
}

func (f fields) hex(key string, bits int) uint64 {
	return sure(strconv.ParseUint(f.text(key), 16, bits))
}

// sure is 0 for what is no number, or too large.
func sure[T int64 | uint64](n T, err error) T {
	if err != nil {
		return 0
	}
	return n
}

// time is a number of seconds; negative ones are in the past.
func (f fields) time(key string) time.Duration {
	return time.Duration(sure(strconv.ParseInt(f.text(key), 10, 32))) * time.Second
}
