/* task_int: what the files of this folder share. */
#pragma once
#include "task/task.h"

/* Zeroed but for the four texts. */
struct task *task_alloc(str owner, str agent, str purpose, str opened_by);
/* Takes the reference over; the former one is given back. */
void task_take_grants(struct task *t, struct grant_set *set);
