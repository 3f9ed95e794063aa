package spec

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// article is a noun with its article.
func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// attacker checks a node that is one.
func (c *checker) attacker(path, name string, n Node) {
	for _, key := range present(&n) {
		if key != "type" && key != "interfaces" {
			c.key(child(path, key), "%s: %s is an attacker, and has only interfaces", key, name)
		}
	}
}

func (c *checker) attackers() (names []string) {
	for _, name := range sorted(c.s.Nodes) {
		if c.s.Nodes[name].Attacker() {
			names = append(names, name)
		}
	}
	return names
}

// by checks who acts, and on which segment.
func (c *checker) by(path, who, segment string) bool {
	verb := path[strings.LastIndexByte(path, '.')+1:]
	n, known := c.s.Nodes[who]
	switch {
	case who == "":
		c.missing(path, "by", "%s: there is no by: the attacker", verb)
		return false
	case known && !n.Attacker():
		c.at(child(path, "by"), "by: %s is %s: it needs type: attacker", who, article(n.Kind()))
		return false
	case !c.defined(path, "by", who, "attacker", "$.nodes", c.attackers()):
		return false
	}
	var on []string
	for _, i := range n.Interfaces {
		on = append(on, i.Segment)
	}
	switch {
	case segment == "" && len(on) > 1:
		c.missing(path, "segment", "%s: %s has %d interfaces: say which segment is meant", verb, who, len(on))
		return false
	case segment != "" && !slices.Contains(on, segment):
		c.at(child(path, "segment"), "segment: %s is not on %s, only on %s", who, shorten(segment), strings.Join(on, ", "))
		return false
	}
	return true
}

// attack checks the step of an attacker.
func (c *checker) attack(path string, s *Step) {
	switch {
	case s.Tamper != nil:
		c.tamper(child(path, "tamper"), s.Tamper)
	case s.Replay != nil:
		c.by(child(path, "replay"), s.Replay.By, s.Replay.Segment)
		c.frameSelection(child(path, "replay"), &s.Replay.FrameSelection)
	case s.Inject != nil:
		c.inject(child(path, "inject"), s.Inject)
	case s.Spoof != nil:
		c.spoof(child(path, "spoof"), s.Spoof)
	}
	if r := s.repeat(); r != nil {
		path := child(path, s.Verb())
		c.between(path, "count", r.Count, 0, maxCount)
		c.span(path, "interval", r.Interval)
		c.span(path, "watch", r.Watch)
		if r.Count > 1 && r.Gap() > maxDuration/time.Duration(r.Count) {
			c.at(child(path, "count"), "count: %d times %s is longer than %s", r.Count, formatDuration(r.Gap()), formatDuration(maxDuration))
		}
	}
}

func (c *checker) frameSelection(path string, f *FrameSelection) {
	c.frameFilter(path, &f.FrameFilter)
	c.ordinals(path, "frames", f.Frames)
	c.span(path, "since", f.Since)
	c.span(path, "until", f.Until)
	if f.Until > 0 && f.Until <= f.Since {
		c.at(child(path, "until"), "until: %s is not after since, %s", f.Until, f.Since)
	}
}

func (c *checker) tamper(path string, t *Tamper) {
	node, known := c.s.Nodes[t.Link]
	segment := c.s.TamperSegment(t)
	switch {
	case t.Link == "":
		c.missing(path, "link", "tamper: there is no link: the node whose link the attacker sits on")
	case !known:
		c.defined(path, "link", t.Link, "node", "$.nodes", sorted(c.s.Nodes))
	case node.Attacker():
		c.at(child(path, "link"), "link: %s is an attacker: name the node on whose link he sits", t.Link)
	case !c.by(path, t.By, or(t.Segment, segment)):
	case segment == "" && len(c.s.shared(t.By, t.Link)) == 0:
		c.at(child(path, "link"), "link: %s and %s are on no segment together", t.By, t.Link)
	case segment == "":
		c.missing(path, "segment", "tamper: %s and %s share %d segments: say which is meant", t.By, t.Link, len(c.s.shared(t.By, t.Link)))
	case c.s.addressOn(t.Link, segment) == nil:
		c.at(child(path, "segment"), "segment: %s has no interface on %s", t.Link, shorten(segment))
	}
	c.direction(path, t.Direction)
	c.frameSelection(path, &t.FrameSelection)
	if words := []string{ChecksumsAll, ChecksumsIP, ChecksumsNone}; !slices.Contains(words, t.Repairs()) {
		c.at(child(path, "checksums"), "checksums: want %s, got %q%s", strings.Join(words, ", "), shorten(t.Checksums), Suggest(t.Checksums, words))
	}
	if t.Change == nil {
		c.missing(path, "change", "tamper: there is no change: say which fields are altered, or give an empty list to stop")
	}
	for i := 0; i < len(t.Change) && !c.full(); i++ {
		c.change(item(child(path, "change"), i), &t.Change[i])
	}
}

func (c *checker) change(path string, v *Change) {
	kind, known := FrameFields[v.Field]
	switch names := slices.Sorted(maps.Keys(FrameFields)); {
	case v.Field == "":
		c.missing(path, "field", "change: there is no field, such as payload or ip.src")
		return
	case !known:
		c.at(child(path, "field"), "field: no field is called %q%s", shorten(v.Field), Suggest(v.Field, names))
		return
	case (v.Flip == nil) == (v.Set == ""):
		c.missing(path, "flip", "change: a field needs flip, the number of a bit, or set, a value, and not both")
		return
	}
	if v.Flip != nil {
		most := 65535*8 - 1
		switch {
		case kind.Address:
			most = 127 // of IPv6; which version a frame is of shows when it passes
		case kind.Bits > 0:
			most = kind.Bits - 1
		}
		c.between(path, "flip", *v.Flip, 0, most)
	} else if _, err := c.s.Value(v); err != nil && !c.unknown("$.nodes") {
		c.at(child(path, "set"), "set: %s: %s", v.Field, err)
	}
	if v.Byte != 0 && (v.Set == "" || kind != FieldKind{}) {
		c.at(child(path, "byte"), "byte: it goes with set, in a field of any number of bytes: %s", strings.Join(wideFields(), ", "))
	}
	c.between(path, "byte", v.Byte, 0, 65535)
}

// wideFields are those of any number of bytes.
func wideFields() (names []string) {
	for _, name := range sorted(FrameFields) {
		if FrameFields[name] == (FieldKind{}) {
			names = append(names, name)
		}
	}
	return names
}

func (c *checker) restartHost(path string, r *RestartHost) {
	if r.Host == "" {
		c.missing(path, "host", "restart-host: there is no host")
	} else {
		c.host(path, "host", r.Host)
	}
	c.span(path, "boot", r.Boot)
}
