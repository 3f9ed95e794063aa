package interop

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// wireQueue is how many frames may wait for a peer: what a real interface of 1 Gbit/s
	// sends in about 10 ms, and no more memory than 1.5 MB.
	wireQueue = 1024

	etherHeader = 14
	maxFrame    = 65536 // what is read at once; more than any MTU
)

// wire joins an interface of a peer to its segment. Each read and each write of its
// carrier is one Ethernet frame: a SOCK_SEQPACKET socket, or the descriptor of a TAP.
type wire struct {
	deliver func([]byte)
	queue   chan []byte
	dropped atomic.Uint64

	mu      sync.Mutex
	carrier io.ReadWriteCloser // nil until the peer has joined
	closed  bool
	done    chan struct{} // closed when the wire is
	loops   sync.WaitGroup
}

func newWire(deliver func([]byte)) *wire {
	return &wire{deliver: deliver, queue: make(chan []byte, wireQueue), done: make(chan struct{})}
}

// send gives the peer a frame, and keeps it. It does not block: when the queue is full,
// the frame is dropped, as by an interface whose machine is too slow.
func (w *wire) send(frame []byte) {
	select {
	case <-w.done:
	case w.queue <- frame:
	default:
		w.dropped.Add(1)
	}
}

// join starts to carry frames. The carrier is closed with the wire.
func (w *wire) join(carrier io.ReadWriteCloser) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.carrier != nil {
		carrier.Close()
		if w.closed {
			return errors.New("interop: the wire is closed")
		}
		return errors.New("interop: a second machine joins the wire")
	}
	w.carrier = carrier
	w.loops.Go(func() { w.read(carrier) })
	w.loops.Go(func() { w.write(carrier) })
	return nil
}

// read ends when the carrier does.
func (w *wire) read(carrier io.Reader) {
	b := make([]byte, maxFrame)
	for {
		n, err := carrier.Read(b)
		if err != nil {
			return
		}
		if n < etherHeader {
			continue // no frame
		}
		w.deliver(append([]byte(nil), b[:n]...))
	}
}

// write ends with the wire, or when the peer has gone.
func (w *wire) write(carrier io.Writer) {
	for {
		select {
		case <-w.done:
			return
		case frame := <-w.queue:
			_, err := carrier.Write(frame)
			switch {
			case err == nil:
			case lost(err):
				w.dropped.Add(1)
			default:
				return
			}
		}
	}
}

// lost reports whether a write failed for one frame alone: it is too long for the carrier, or
// the interface is down (EIO of a TAP), or there is no memory for it.
func lost(err error) bool {
	return errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) ||
		errors.Is(err, unix.ENOBUFS) || errors.Is(err, unix.ENOMEM)
}

// close ends the wire and waits until nothing more is delivered. A deliver that blocks
// holds it up: the world has to take frames, or to be closed.
func (w *wire) close() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.done)
		if w.carrier != nil {
			w.carrier.Close()
		}
	}
	w.mu.Unlock()
	w.loops.Wait()
}

// wirePatience is for a world that still takes frames.
const wirePatience = 2 * time.Second

// closeWires closes wires, as far as the world takes frames or is closed.
func closeWires(all ...*wire) {
	closed := make(chan struct{})
	go func() {
		for _, w := range all {
			w.close()
		}
		close(closed)
	}()
	select {
	case <-closed:
	case <-time.After(wirePatience):
	}
}
