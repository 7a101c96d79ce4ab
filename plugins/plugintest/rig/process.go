package rig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a program in a process group of its own.
type process struct {
	group int
	done  chan struct{}
	leash io.Closer
}

// spawn starts a program whose output goes to log.
func spawn(path string, args []string, dir string, log *os.File, account *syscall.Credential) (*process, error) {
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	// A home of its own keeps the user's configuration out of the test.
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CACHE_HOME="+dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: account}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{group: cmd.Process.Pid, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	var err error
	if p.leash, err = tether(p.group); err != nil {
		p.kill()
		return nil, err
	}
	return p, nil
}

func (p *process) signal(sig syscall.Signal) error { return syscall.Kill(-p.group, sig) }

// kill ends the whole group, frozen or not, and waits for its leader.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.done
	if p.leash != nil {
		p.leash.Close()
	}
}

// stopped returns nil when every thread of the group has stopped, which is a
// while after the signal was sent.
func (p *process) stopped() error {
	processes, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return err
	}
	for _, stat := range processes {
		if _, group := status(stat); group != p.group {
			continue
		}
		threads, err := filepath.Glob(filepath.Join(filepath.Dir(stat), "task", "*", "stat"))
		if err != nil {
			return err
		}
		for _, stat := range threads {
			if state, _ := status(stat); state != "T" && state != "" {
				return fmt.Errorf("%s: state %s", stat, state)
			}
		}
	}
	return nil
}

// status reads the state and the process group from a stat file of proc(5);
// they are "" and 0 for a process that has gone.
func status(stat string) (state string, group int) {
	b, err := os.ReadFile(stat)
	if err != nil {
		return "", 0
	}
	// The name before the last parenthesis may hold anything.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 3 {
		return "", 0
	}
	group, err = strconv.Atoi(fields[2])
	if err != nil {
		return "", 0
	}
	return fields[0], group
}

// leash is a shell that outlives this process by a moment.
type leash struct {
	cmd *exec.Cmd
	in  io.Closer
}

// tether makes sure that group dies if this process does without cleaning up:
// a shell in a group of its own waits for the end of a pipe that only we hold.
func tether(group int) (io.Closer, error) {
	cmd := exec.Command("/bin/sh", "-c", `read _; kill -9 -"$1" 2>/dev/null`, "sh", strconv.Itoa(group))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &leash{cmd, in}, nil
}

// Close ends the shell itself first, so that it does not shoot at a group
// number which may already be somebody else's.
func (l *leash) Close() error {
	l.cmd.Process.Kill()
	l.cmd.Wait()
	return l.in.Close()
}

// poll calls try until it succeeds, ctx ends or died is closed.
func poll(ctx context.Context, died <-chan struct{}, try func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-died:
			return errors.New("it has exited")
		case <-ctx.Done():
			return fmt.Errorf("%w; last: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
