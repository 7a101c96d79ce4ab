package download

import "sync"

const (
	// smallestChunk is the least that is asked for at once, and left to each
	// side when work is divided. It must be more than two buffers.
	smallestChunk = 1 << 20
	defaultChunk  = 16 << 20
	// bufferSize is how much is read before it is written.
	bufferSize = 128 << 10
)

// queue is the work that is left to do on one file.
type queue struct {
	mu    sync.Mutex
	chunk int64
	todo  spans
	tasks map[*task]struct{}
}

// task is a part of the file that one stream works on; the queue's mutex
// guards it. Its end may come nearer while it is worked on.
type task struct{ next, end int64 }

func newQueue(todo spans, chunk int64) *queue {
	return &queue{chunk: chunk, todo: todo, tasks: make(map[*task]struct{})}
}

// take returns the next part to work on: a chunk of what nobody has begun, else
// half of the longest part that others work on, nil if that is too short to be
// divided.
func (q *queue) take() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &task{}
	if len(q.todo) > 0 {
		first := &q.todo[0]
		t.next, t.end = first.From, min(first.To, first.From+q.chunk)
		if first.From = t.end; first.From == first.To {
			q.todo = q.todo[1:]
		}
	} else {
		var longest *task
		for o := range q.tasks {
			if longest == nil || o.end-o.next > longest.end-longest.next {
				longest = o
			}
		}
		if longest == nil || longest.end-longest.next < 2*smallestChunk {
			return nil
		}
		t.next, t.end = longest.next+(longest.end-longest.next)/2, longest.end
		longest.end = t.next
	}
	q.tasks[t] = struct{}{}
	return t
}

// bounds returns what is left of t.
func (q *queue) bounds(t *task) span {
	q.mu.Lock()
	defer q.mu.Unlock()
	return span{t.next, t.end}
}

// advance notes that n more bytes of t are done and returns what is left.
func (q *queue) advance(t *task, n int64) span {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.next += n
	return span{t.next, t.end}
}

// drop ends the work on t; what is left of it is to be done by whoever comes.
func (q *queue) drop(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.tasks, t)
	q.todo = q.todo.add(span{t.next, t.end})
}

// left reports whether there is anything to do that nobody works on.
func (q *queue) left() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.todo) > 0
}
