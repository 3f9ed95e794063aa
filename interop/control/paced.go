package control

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// A terminal line of user-mode Linux holds 4 KiB of what the peer has not read yet. When
// it is nearly full the kernel stops taking more from the lab's machine, and never
// starts again (seen with Linux 6.1: line_throttle takes the descriptor out of the
// loop of events, line_unthrottle does not put it back). On such a line the lab has
// no more than pace bytes under way. It writes plain bytes; the agent writes packets:
//
//	16 bits: bytes that it has read since the last packet, 16 bits: length, data
//
// both big-endian. The agent's greeting says so.
const (
	pace      = 3072
	paceBack  = 1024 // the agent says what it has read when it is that much
	maxPacket = 32 << 10
)

// NewTerminal makes the agent's side of a terminal line a stream for Listen.
func NewTerminal(line io.ReadWriteCloser) io.ReadWriteCloser { return &terminal{line: line} }

// terminal is the agent's side of a paced line.
type terminal struct {
	line io.ReadWriteCloser

	mu   sync.Mutex
	read int // bytes that the lab has not been told of
}

func (t *terminal) Close() error { return t.line.Close() }

func (t *terminal) Read(b []byte) (int, error) {
	n, err := t.line.Read(b)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.read += n; t.read >= paceBack && err == nil {
		err = t.packetLocked(nil)
	}
	return n, err
}

func (t *terminal) Write(b []byte) (n int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(b) > 0 {
		piece := b[:min(len(b), maxPacket)]
		if err := t.packetLocked(piece); err != nil {
			return n, err
		}
		n, b = n+len(piece), b[len(piece):]
	}
	return n, nil
}

func (t *terminal) packetLocked(data []byte) error {
	told := min(t.read, 1<<16-1)
	t.read -= told
	p := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(data)), uint16(told))
	p = binary.BigEndian.AppendUint16(p, uint16(len(data)))
	_, err := t.line.Write(append(p, data...))
	return err
}

// paced is the lab's side of a paced line.
type paced struct {
	line io.ReadWriteCloser
	left int // bytes of data of the packet that Read is in

	mu   sync.Mutex
	cond *sync.Cond
	room int   // bytes that may be sent
	err  error // why none can be any more
}

func newPaced(line io.ReadWriteCloser) *paced {
	p := &paced{line: line, room: pace}
	p.cond = sync.NewCond(&p.mu)
	return p
}

func (p *paced) Close() error {
	p.end(io.ErrClosedPipe)
	return p.line.Close()
}

// end wakes who waits for room: there will be none.
func (p *paced) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	p.cond.Broadcast()
}

func (p *paced) Read(b []byte) (n int, err error) {
	defer func() {
		if err != nil {
			p.end(err)
		}
	}()
	for p.left == 0 {
		var head [4]byte
		if _, err := io.ReadFull(p.line, head[:]); err != nil {
			return 0, err
		}
		p.left = int(binary.BigEndian.Uint16(head[2:]))
		p.mu.Lock()
		p.room += int(binary.BigEndian.Uint16(head[:]))
		tooMuch := p.room > pace
		p.cond.Broadcast()
		p.mu.Unlock()
		if tooMuch {
			return 0, errors.New("the agent has read more than was sent")
		}
	}
	n, err = p.line.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

// Write is called by one goroutine at a time.
func (p *paced) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		p.mu.Lock()
		for p.room == 0 && p.err == nil {
			p.cond.Wait()
		}
		piece := b[:min(len(b), p.room)]
		p.room -= len(piece)
		err := p.err
		p.mu.Unlock()
		if err != nil {
			return n, err
		}
		m, err := p.line.Write(piece)
		if n += m; err != nil {
			return n, err
		}
		b = b[m:]
	}
	return n, nil
}

// greetings are what an agent may begin with, and what the line is then.
var greetings = []struct {
	text string
	line func(io.ReadWriteCloser) io.ReadWriteCloser
}{
	{greeting, func(line io.ReadWriteCloser) io.ReadWriteCloser { return line }},
	{terminalGreeting, func(line io.ReadWriteCloser) io.ReadWriteCloser { return newPaced(line) }},
}

// greeted is the line behind the greeting with which what has been read ends; nil when
// it ends with none.
func greeted(read []byte, line io.ReadWriteCloser) io.ReadWriteCloser {
	for _, g := range greetings {
		if bytes.HasSuffix(read, []byte(g.text)) {
			return g.line(line)
		}
	}
	return nil
}
