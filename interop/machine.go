package interop

import (
	"context"
	"io"
	"sync"
)

// machine is where a peer lives: a kernel of its own, or a share of this machine's. The
// agent runs in it.
type machine interface {
	// ended is closed when the machine is no more, by itself or by kill.
	ended() <-chan struct{}

	// kill ends the machine at once, with all that runs in it, and waits until it is gone.
	kill() error

	// memory is what the machine takes of this one, in bytes.
	memory(ctx context.Context) (uint64, error)

	// printed is the last of what kernel and agent have printed, and the file for it.
	printed() (name string, text []byte)
}

// tail keeps the last of what is written to it.
type tail struct {
	mu  sync.Mutex
	b   []byte
	cut bool
}

// maxTail is enough for a boot and the daemon's complaints.
const maxTail = 256 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.b = append(t.b, p...); len(t.b) > 2*maxTail {
		t.b = append(t.b[:0], t.b[len(t.b)-maxTail:]...)
		t.cut = true
	}
	return len(p), nil
}

func (t *tail) text() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.b
	if len(b) > maxTail {
		b = b[len(b)-maxTail:]
	}
	if t.cut || len(t.b) > maxTail {
		return append([]byte("…\n"), b...)
	}
	return append([]byte(nil), b...)
}

// stdio is a line over two pipes.
type stdio struct {
	io.ReadCloser
	in io.WriteCloser
}

func (s stdio) Write(b []byte) (int, error) { return s.in.Write(b) }

func (s stdio) Close() error {
	s.in.Close()
	return s.ReadCloser.Close()
}
