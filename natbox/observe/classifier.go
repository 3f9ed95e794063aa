package observe

import "time"

// Classifier counts packets by class, as a router does that treats traffic by its kind.
type Classifier struct {
	classes Classes
	counts  []Count // the default class last
}

// NewClassifier makes one.
func NewClassifier(classes Classes) *Classifier {
	return &Classifier{classes: classes, counts: make([]Count, len(classes)+1)}
}

// Observe implements Instrument.
func (c *Classifier) Observe(_ time.Duration, b []byte) {
	if p, ok := parse(b); ok {
		c.counts[c.classes.of(&p)].add(p.length)
	}
}

// Notes implements Instrument.
func (c *Classifier) Notes(time.Duration) (n Notes) {
	for i, class := range c.classes {
		n.Counts = append(n.Counts, Named{class.Name, c.counts[i]})
	}
	n.Counts = append(n.Counts, Named{DefaultClass, c.counts[len(c.classes)]})
	return n
}
