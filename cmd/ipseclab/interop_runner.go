package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/ipseclab/ipseclab/interop"
	"github.com/ipseclab/ipseclab/interop/images"
	"github.com/ipseclab/ipseclab/interop/matrix"
)

// cellRunner runs cells, and has to be closed.
type cellRunner interface {
	matrix.Runner
	io.Closer
}

// newCellRunner makes what runs the cells of the interop matrix; tests put something else here.
// log takes what is worth telling about real peers, a line at a time.
var newCellRunner = func(log func(line string)) (cellRunner, error) {
	d, store, err := newPeerDriver("", log)
	if err != nil {
		return nil, err
	}
	return realRunner{interop.Runner{Driver: d, Store: store, Reporter: reporter{}}, d}, nil
}

// realRunner runs cells with real peers, and closes their driver.
type realRunner struct {
	interop.Runner
	io.Closer
}

// newPeerDriver makes what starts real peers. force is the driver that all of them get; "": theirs.
func newPeerDriver(force string, log func(line string)) (*interop.Driver, *images.Store, error) {
	cache, err := images.DefaultCache()
	if err != nil {
		return nil, nil, err
	}
	store, err := images.Open(cache)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	d, err := interop.New(interop.Options{Store: store, Force: force, Log: func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log(fmt.Sprintf(format, args...))
	}})
	return d, store, err
}
