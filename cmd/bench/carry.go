package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
// to the storage: curl, and Apache.
func carries(ctx context.Context, b *bench) error {
	dir := filepath.Join(b.dir, "files")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	upload := filepath.Join(b.dir, "upload")
	for name, size := range map[string]int64{filepath.Join(dir, "large"): carried, upload: carryPart} {
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		_, err = io.CopyN(f, zeros{}, size)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	curl, err := installed("curl", "curl")
	if err != nil {
		return err
	}
	storage, stop, err := b.apache(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	config, err := b.keep("carry.yaml", fmt.Appendf(nil, "listen: 127.0.0.1:0\naccess: [{path: /, write: [anyone], delete: [anyone]}]\nendpoints:\n  - {name: files, type: dav, url: \"http://%s/\", write: true, access: proxy}\n", storage))
	if err != nil {
		return err
	}
	server, err := b.start(ctx, "canopy", config, 2)
	if err != nil {
		return err
	}
	defer server.stop()
	c := carrier{ctx: ctx, curl: curl, upload: upload}
	for _, addr := range []string{storage, server.addr} { // all is known from here on
		if _, err := c.get(addr); err != nil {
			return err
		}
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
			straight, err := way.do(storage)
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
	b.least("download of 2 GiB, to straight from Apache", down, 0.85)
	b.least("upload of 512 MiB, to straight to Apache", up, 0.85)
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

// carrier moves the files.
type carrier struct {
	ctx          context.Context
	curl, upload string
}

func (c *carrier) get(addr string) (time.Duration, error) {
	return c.run(carried, "http://"+addr+"/large")
}

func (c *carrier) put(addr string) (time.Duration, error) {
	return c.run(carryPart, "-T", c.upload, "http://"+addr+"/new")
}

// run has curl move so many bytes, and returns how long it took.
func (c *carrier) run(size int64, args ...string) (time.Duration, error) {
	const told = "%{http_code} %{size_download} %{size_upload} %{time_total}"
	out, err := exec.CommandContext(c.ctx, c.curl, append([]string{"-s", "-S", "-o", os.DevNull, "-w", told}, args...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("curl %s: %w", args, err)
	}
	var status int
	var down, up int64
	var took float64
	if _, err := fmt.Sscan(string(out), &status, &down, &up, &took); err != nil {
		return 0, fmt.Errorf("curl says %q: %w", out, err)
	}
	if status/100 != 2 || max(down, up) != size {
		return 0, fmt.Errorf("curl %s: status %d, %d bytes", args, status, max(down, up))
	}
	return time.Duration(took * float64(time.Second)), nil
}
