//go:build unix

package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
)

// Wire is how the frames of one interface of a peer come to the lab. The agent makes
// a TAP, connects to a socket of the lab (SOCK_SEQPACKET, "unixpacket" in package
// net) once for each interface, and hands the TAP's descriptor over. Where it cannot,
// it carries frames: each packet of the connection is one, in both directions.
type Wire struct {
	Interface string
	TAP       *os.File // non-blocking: a read or write is one frame; nil: Conn carries them
	Conn      *net.UnixConn
}

// offer is the first packet of a connection.
type offer struct {
	Interface string `json:"interface"`
	Frames    bool   `json:"frames,omitempty"`
}

// OfferTAP hands the TAP of an interface to the lab.
func OfferTAP(c *net.UnixConn, name string, tap *os.File) error {
	raw, err := tap.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { sent = sendOffer(c, offer{Interface: name}, int(fd)) }); err != nil {
		return err
	}
	return sent
}

// OfferFrames announces that the connection carries the frames of an interface.
func OfferFrames(c *net.UnixConn, name string) error {
	return sendOffer(c, offer{Interface: name, Frames: true})
}

func sendOffer(c *net.UnixConn, o offer, descriptors ...int) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	var rights []byte
	if len(descriptors) > 0 {
		rights = syscall.UnixRights(descriptors...)
	}
	if _, _, err := c.WriteMsgUnix(b, rights, nil); err != nil {
		return fmt.Errorf("control: offering %s to the lab: %w", o.Interface, err)
	}
	return nil
}

// AcceptWire takes what an agent offers on a connection. Deadlines of the connection hold.
func AcceptWire(c *net.UnixConn) (*Wire, error) {
	b, rights := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4))
	n, m, _, _, err := c.ReadMsgUnix(b, rights)
	if err != nil {
		return nil, fmt.Errorf("control: waiting for an interface of the peer: %w", err)
	}
	tap, err := descriptor(rights[:m])
	if err != nil {
		return nil, fmt.Errorf("control: an interface of the peer: %w", err)
	}
	w := &Wire{Conn: c, TAP: tap}
	var o offer
	err = json.Unmarshal(b[:n], &o)
	if w.Interface = o.Interface; err == nil && o.Frames == (tap != nil) {
		err = errors.New("it comes as a descriptor or as frames")
	}
	if err != nil {
		if tap != nil {
			tap.Close()
		}
		return nil, fmt.Errorf("control: an offer of an interface that cannot be read: %w", err)
	}
	return w, nil
}

// descriptor is the one that came with a message, nil when none did.
func descriptor(rights []byte) (*os.File, error) {
	if len(rights) == 0 {
		return nil, nil
	}
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return nil, err
		}
		all = append(all, fds...)
	}
	if len(all) != 1 {
		for _, fd := range all {
			syscall.Close(fd)
		}
		return nil, fmt.Errorf("%d descriptors in place of one", len(all))
	}
	if err := syscall.SetNonblock(all[0], true); err != nil {
		syscall.Close(all[0])
		return nil, err
	}
	syscall.CloseOnExec(all[0])
	return os.NewFile(uintptr(all[0]), "tap"), nil
}
