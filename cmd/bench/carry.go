package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

const (
	// carried is the size of the file that goes through Canopy, in bytes.
	carried = 2 << 30
	// carryPart is how much of it is sent in one turn of an upload.
	carryPart = 512 << 20
	// carryMemory is what a transfer may take beyond what an idle server has.
	carryMemory = 100 << 20
)

// carries measures what Canopy carries itself, against the same transfer straight
// to the storage, a WebDAV server over files.
func carries(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "files")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, zeros{}, carried)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	storage, err := b.start(ctx, "files", dir, 2)
	if err != nil {
		return err
	}
	defer storage.stop()
	config, err := b.keep("carry.yaml", fmt.Appendf(nil, "listen: 127.0.0.1:0\naccess: [{path: /, write: [anyone], delete: [anyone]}]\nendpoints:\n  - {name: files, type: dav, url: \"http://%s/\", write: true, access: proxy}\n", storage.addr))
	if err != nil {
		return err
	}
	server, err := b.start(ctx, "canopy", config, 2)
	if err != nil {
		return err
	}
	defer server.stop()
	c := carrier{ctx: ctx, client: &http.Client{Transport: &http.Transport{DisableCompression: true}}, buffer: make([]byte, 256<<10)}
	defer c.client.CloseIdleConnections()
	if _, err := c.get(server.addr); err != nil { // all is known from here on
		return err
	}
	idle, err := server.resident()
	if err != nil {
		return err
	}
	var down, up sample
	for range b.rounds {
		for _, way := range []struct {
			to *sample
			do func(addr string) (time.Duration, error)
		}{{&down, c.get}, {&up, c.put}} {
			straight, err := way.do(storage.addr)
			if err != nil {
				return err
			}
			through, err := way.do(server.addr)
			if err != nil {
				return err
			}
			*way.to = append(*way.to, straight.Seconds()/through.Seconds())
		}
	}
	most, err := server.resident()
	if err != nil {
		return err
	}
	b.least("download of 2 GiB, to straight from the storage", down, 0.85)
	b.least("upload of 512 MiB, to straight to the storage", up, 0.85)
	b.row("memory beyond what it had before", size(most-idle), "<= "+size(carryMemory), most-idle <= carryMemory)
	return nil
}

func size(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// carrier moves the file.
type carrier struct {
	ctx    context.Context
	client *http.Client
	buffer []byte
}

func (c *carrier) get(addr string) (time.Duration, error) {
	return c.ask(http.MethodGet, "http://"+addr+"/large", nil, 0)
}

func (c *carrier) put(addr string) (time.Duration, error) {
	return c.ask(http.MethodPut, "http://"+addr+"/new", io.LimitReader(zeros{}, carryPart), carryPart)
}

func (c *carrier) ask(method, url string, body io.Reader, size int64) (time.Duration, error) {
	req, err := http.NewRequestWithContext(c.ctx, method, url, body)
	if err != nil {
		return 0, err
	}
	req.ContentLength = size
	began := time.Now()
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.CopyBuffer(writeOnly{io.Discard}, resp.Body, c.buffer)
	switch {
	case err != nil:
		return 0, err
	case resp.StatusCode/100 != 2, method == http.MethodGet && n != carried:
		return 0, fmt.Errorf("%s %s: %s, %d bytes", method, url, resp.Status, n)
	}
	return time.Since(began), nil
}

// writeOnly keeps io.CopyBuffer from using another buffer.
type writeOnly struct{ io.Writer }
