//go:build unix

package control

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"syscall"
)

// offer is the packet with which the TAP of an interface comes to the lab. The agent makes
// TAPs, connects to a socket of the lab (SOCK_SEQPACKET, "unixpacket" in package
// net) once for each interface, and hands the TAP's descriptor over.
type offer struct {
	Interface string `json:"interface"`
}

// OfferTAP hands the TAP of an interface to the lab.
func OfferTAP(c *net.UnixConn, name string, tap *os.File) error {
	b, err := json.Marshal(offer{name})
	if err != nil {
		return err
	}
	raw, err := tap.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := raw.Control(func(fd uintptr) { _, _, sent = c.WriteMsgUnix(b, syscall.UnixRights(int(fd)), nil) }); err != nil {
		return err
	}
	if sent != nil {
		return fmt.Errorf("control: offering %s to the lab: %w", name, sent)
	}
	return nil
}

// AcceptTAP takes the interface that an agent offers on a connection: its name, and its TAP, non-blocking, of which
// a read or write is one frame. Deadlines of the connection hold.
func AcceptTAP(c *net.UnixConn) (name string, tap *os.File, err error) {
	b, rights := make([]byte, 4096), make([]byte, syscall.CmsgSpace(4))
	n, m, _, _, err := c.ReadMsgUnix(b, rights)
	if err != nil {
		return "", nil, fmt.Errorf("control: waiting for an interface of the peer: %w", err)
	}
	if tap, err = descriptor(rights[:m]); err != nil {
		return "", nil, fmt.Errorf("control: an interface of the peer: %w", err)
	}
	var o offer
	if err := json.Unmarshal(b[:n], &o); err != nil {
		tap.Close()
		return "", nil, fmt.Errorf("control: an offer of an interface that cannot be read: %w", err)
	}
	return o.Interface, tap, nil
}

// descriptor is the one that came with a message.
func descriptor(rights []byte) (*os.File, error) {
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
