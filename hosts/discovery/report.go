package discovery

import (
	"fmt"
	"slices"
	"time"
)

// Finding is what was observed of one kind of behaviour.
type Finding struct {
	// Key is the name of a setting of NAT boxes, as in scenario files, or one of this
	// package's: see the constants.
	Key string
	// Word is a value of the setting. "": it is a time, or was not observed.
	Word string
	// Min and Max are of a time: after Min of silence it had not run out, after Max it had.
	// Max 0: it had not after the longest that the client waits, which is Min.
	Min, Max time.Duration
	Unknown  string // why nothing could be observed
	Not      string // of an unknown one: a word that it is not
	Detail   string // what was seen, for a reader
}

// Value is the finding in a few words.
func (f Finding) Value() string {
	switch {
	case f.Not != "":
		return "not " + f.Not + ": " + f.Unknown
	case f.Unknown != "":
		return "not observed: " + f.Unknown
	case f.Word != "":
		return f.Word
	case f.Max == 0:
		return fmt.Sprintf("more than %v", f.Min)
	}
	return fmt.Sprintf("%v..%v", f.Min, f.Max)
}

// Report is all that was found, in the order of the tests.
type Report struct{ Findings []Finding }

// Of is the finding about a key. false: no test has looked for it.
func (r Report) Of(key string) (Finding, bool) {
	i := slices.IndexFunc(r.Findings, func(f Finding) bool { return f.Key == key })
	if i < 0 {
		return Finding{}, false
	}
	return r.Findings[i], true
}

// word is what was observed of a key; "" when it was not.
func (r Report) word(key string) string {
	f, _ := r.Of(key)
	return f.Word
}

// found notes a finding; a later one about the same key takes the place of the earlier.
func (c *Client) found(f Finding) {
	if c.err != nil {
		return
	}
	if i := slices.IndexFunc(c.report.Findings, func(o Finding) bool { return o.Key == f.Key }); i >= 0 {
		c.report.Findings[i] = f
	} else {
		c.report.Findings = append(c.report.Findings, f)
	}
	if c.config.Found != nil {
		c.config.Found(f)
	}
}

// saw notes a word, or a value that has one.
func (c *Client) saw(key string, word any, detail string, args ...any) {
	c.found(Finding{Key: key, Word: fmt.Sprint(word), Detail: fmt.Sprintf(detail, args...)})
}

func (c *Client) unknown(key, why string) { c.found(Finding{Key: key, Unknown: why}) }
